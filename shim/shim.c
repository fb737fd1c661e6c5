/* The file shim: preloaded into a tool, it counts and records what the tool does to files below one folder, and injures
 * it at the n-th, as the control page says (page.h). No dependency but libc.
 *
 * Operations go on as direct system calls, so that nothing of libc comes in between. What it does not see: stdio writes
 * of C programs (libc calls itself there), stores into a mapped file, static executables (tracer.c is for them),
 * io_uring. The harness replays the record and compares it with the real files: what was missed is found, and is an
 * error.
 */
#define _GNU_SOURCE
#include "page.h"
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int log_fd = -1;
static __thread uint32_t me __attribute__((tls_model("initial-exec"))); /* this thread; 0: nobody asked yet */

static void forget_me(void) { me = 0; }

__attribute__((constructor)) static void attach(void) {
    const char *path = getenv("REHEARSE_SHIM");
    if (!path || page != &unarmed) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    void *map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (map == MAP_FAILED || ((struct control *)map)->magic != MAGIC) return;
    page = map;
    __atomic_add_fetch(&page->attached, 1, __ATOMIC_SEQ_CST);
    root_bytes = strlen(page->root);
    pthread_atfork(NULL, NULL, forget_me);
    if (page->recording && page->log[0]) {
        int log = (int)syscall(SYS_openat, AT_FDCWD, page->log, O_RDWR | O_CLOEXEC);
        /* Out of the way of tools that choose their descriptors. */
        log_fd = log < 0 ? -1 : (int)syscall(SYS_fcntl, log, F_DUPFD_CLOEXEC, 900);
        if (log >= 0 && log_fd >= 0) syscall(SYS_close, log);
    }
}

/* ---- which files are looked at ------------------------------------------------------------------------------------ */

/* Whether `path` is absolute already, as most are. */
static int is_absolute(const char *path) {
    if (path[0] != '/') return 0;
    for (const char *at = path; *at; at++) {
        if (*at == '/' && (at[1] == '/' || at[1] == '.' || at[1] == 0)) return 0;
    }
    return 1;
}

/* Makes `path` absolute, without `.`, `..` and doubled slashes. Links are not followed. */
static int absolute(int dir, const char *path, char *out) {
    if (is_absolute(path)) {
        size_t length = strlen(path);
        if (length >= PATH_MAX) return 0;
        memcpy(out, path, length + 1);
        return 1;
    }
    char joined[2 * PATH_MAX];
    if (path[0] == '/') {
        snprintf(joined, sizeof joined, "%s", path);
    } else {
        char base[PATH_MAX], link[64];
        if (dir == AT_FDCWD) {
            if (syscall(SYS_getcwd, base, sizeof base) < 0) return 0;
        } else {
            snprintf(link, sizeof link, "/proc/self/fd/%d", dir);
            ssize_t n = readlink(link, base, sizeof base - 1);
            if (n < 0) return 0;
            base[n] = 0;
        }
        snprintf(joined, sizeof joined, "%s/%s", base, path);
    }
    return normalise(joined, out);
}

static const char *watched(int dir, const char *path, char *buffer) {
    if (!root_bytes || !path || !absolute(dir, path, buffer)) return NULL;
    return below_root(buffer);
}

/* What is known of a descriptor: nothing yet, not ours, or its path below the root. */
#define FDS 4096
static const char not_ours[] = "";
static const char *volatile names[FDS];

static void forget(int fd) {
    if (fd >= 0 && fd < FDS) names[fd] = NULL; /* a name may still be in use by another thread: it is never freed */
}

static int top_fd = -1; /* the largest descriptor that anything is known of */

static void know(int fd, const char *name) {
    if (fd < 0 || fd >= FDS) return;
    names[fd] = name;
    if (fd > top_fd) top_fd = fd;
}

/* Open descriptors of a file or folder may have another name now, or none; without a name: all of them. */
static void forget_name(const char *name) {
    size_t length = name ? strlen(name) : 0;
    for (int fd = 0; fd <= top_fd; fd++) {
        const char *known = names[fd];
        if (!known || (name && known == not_ours)) continue;
        if (!name || (strncmp(known, name, length) == 0 && (known[length] == 0 || known[length] == '/'))) forget(fd);
    }
}

/* Names are interned: few files, many opens. */
static const char *intern(const char *name) {
    static const char *volatile known[512];
    for (int i = 0; i < 512; i++) {
        const char *old = known[i];
        if (!old) {
            const char *copy = strdup(name), *none = NULL;
            if (__atomic_compare_exchange_n(&known[i], &none, copy, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) return copy;
            free((void *)copy);
            old = known[i];
        }
        if (strcmp(old, name) == 0) return old;
    }
    return strdup(name);
}

static const char *name_of(int fd) {
    if (!root_bytes || fd < 0) return NULL;
    if (fd < FDS && names[fd]) return names[fd] == not_ours ? NULL : names[fd];
    char link[64], target[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, target, sizeof target - 1);
    if (n < 0) return NULL;
    target[n] = 0;
    const char *rest = link_below_root(target);
    struct stat about;
    if (rest && syscall(SYS_fstat, fd, &about) == 0 && !holds_content(&about)) rest = NULL;
    const char *name = rest ? intern(rest) : not_ours;
    know(fd, name);
    return rest ? name : NULL;
}

/* ---- counting, recording, striking -------------------------------------------------------------------------------- */

static void die(void) {
    /* The whole group of the tool, as the harness would. */
    syscall(SYS_kill, 0, SIGKILL);
    for (;;) pause();
}

static enum act reach(enum op op, const char *path) {
    return reach_part(op, path, 0);
}

static int refused(enum act act) {
    int code = refusal(act);
    if (code) errno = code;
    return code != 0;
}

/* While it is held, what is done and what is recorded are in the same order, in all processes. */
static void hold(void) {
    uint32_t none = 0;
    if (!me) me = (uint32_t)syscall(SYS_gettid);
    while (!__atomic_compare_exchange_n(&page->lock, &none, me, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        if (none && syscall(SYS_kill, none, 0) < 0 && errno == ESRCH) {
            __atomic_compare_exchange_n(&page->lock, &none, 0, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        }
        none = 0;
        sched_yield();
    }
}

static void begin(void) {
    if (log_fd >= 0) hold();
}

static void end(void) {
    if (log_fd >= 0) __atomic_store_n(&page->lock, 0, __ATOMIC_SEQ_CST);
}

/* A part of the record, mapped: what is written there is in the file when the process dies. */
static struct { char *at; uint64_t from, bytes; } window;
enum { PAGE = 4096, FIRST_WINDOW = 1 << 16, LARGE_WINDOW = 1 << 22 };

/* Makes the file long enough for the window: on a disk that is full, a mapping of what is not there would be fatal. */
static int reserve(void) {
    if (syscall(SYS_fallocate, log_fd, 0, window.from, window.bytes) == 0) return 1;
    struct stat about;
    uint64_t end = window.from + window.bytes;
    if (errno != EOPNOTSUPP || syscall(SYS_fstat, log_fd, &about) < 0) return 0;
    return (uint64_t)about.st_size >= end || syscall(SYS_ftruncate, log_fd, end) == 0;
}

/* Moves the window to where `bytes` of the record come next. Most records are short, so it begins small. */
static void move_window(uint64_t next, uint64_t bytes) {
    char *old = window.at;
    window.at = NULL;
    if (old) munmap(old, window.bytes);
    uint64_t wanted = window.bytes ? LARGE_WINDOW : FIRST_WINDOW;
    window.from = next & ~(uint64_t)(PAGE - 1);
    window.bytes = ((wanted > bytes ? wanted : bytes) + 2 * PAGE) & ~(uint64_t)(PAGE - 1);
    if (!reserve()) return;
    int flags = MAP_SHARED | (wanted == LARGE_WINDOW ? MAP_POPULATE : 0);
    void *map = (void *)syscall(SYS_mmap, NULL, window.bytes, PROT_READ | PROT_WRITE, flags, log_fd, window.from);
    window.at = map == MAP_FAILED ? NULL : map;
}

/* Where the next `bytes` of the record go; NULL where the disk is full: the record ends then, which the harness sees. */
static char *room(uint64_t bytes) {
    static int is_cut;
    uint64_t next = page->log_bytes;
    int is_inside = window.at && next >= window.from && next + bytes <= window.from + window.bytes;
    if (!is_inside && !is_cut) move_window(next, bytes);
    is_cut |= !window.at;
    return is_cut ? NULL : window.at + (next - window.from);
}

/* Only while it is held. */
static void record(enum op op, int failed, const char *path, const char *path2, uint64_t offset, const void *data, uint64_t bytes) {
    if (log_fd < 0) return;
    int saved = errno;
    struct record head = entry(op, failed, path, path2, offset, data, bytes);
    uint64_t total = sizeof head + head.path_bytes + head.path2_bytes + data_bytes(&head);
    char *at = room(total);
    if (at) {
        at = mempcpy(mempcpy(at, &head, sizeof head), path, head.path_bytes);
        if (path2) at = mempcpy(at, path2, head.path2_bytes);
        if (data_bytes(&head)) memcpy(at, data, bytes);
        __atomic_add_fetch(&page->log_bytes, total, __ATOMIC_SEQ_CST);
    }
    errno = saved;
}

/* What needs no order with others, but for its place in the record. */
static void note(enum op op, int failed, const char *path, uint64_t offset, uint64_t bytes) {
    int saved = errno;
    begin();
    record(op, failed, path, NULL, offset, NULL, bytes);
    end();
    errno = saved;
}

/* ---- open and close ------------------------------------------------------------------------------------------------ */

static int open_plainly(int dir, const char *path, int flags, mode_t mode) {
    int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    forget(fd);
    return fd;
}

static int open_at(int dir, const char *path, int flags, mode_t mode) {
    char full[PATH_MAX];
    const char *name = flags & (O_CREAT | O_TRUNC) ? watched(dir, path, full) : NULL;
    if (!name) return open_plainly(dir, path, flags, mode);
    struct stat about;
    int existed = syscall(SYS_newfstatat, AT_FDCWD, full, &about, 0) == 0;
    int empties = existed && (flags & O_TRUNC) && about.st_size > 0;
    int changes = empties || (!existed && (flags & O_CREAT));
    /* What changes nothing needs no order, and that of a pipe waits for its other end. */
    if (!changes) return open_plainly(dir, path, flags, mode);
    enum op op = existed ? OP_TRUNCATE_OPEN : OP_CREATE;
    if (refused(reach(op, name))) return -1;
    begin();
    int fd = (int)syscall(SYS_openat, dir, path, flags, mode);
    record(op, fd < 0, name, NULL, 0, NULL, 0);
    end();
    if (!existed) know(fd, intern(name));
    else forget(fd);
    return fd;
}

#define MODE(last, flags, mode) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { va_list more; va_start(more, last); mode = va_arg(more, mode_t); va_end(more); }

int open(const char *path, int flags, ...) { MODE(flags, flags, mode) return open_at(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags, flags, mode) return open_at(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int dir, const char *path, int flags, ...) { MODE(flags, flags, mode) return open_at(dir, path, flags, mode); }
int openat64(int dir, const char *path, int flags, ...) { MODE(flags, flags, mode) return open_at(dir, path, flags | O_LARGEFILE, mode); }
/* What glibc's fortified headers turn two-argument calls into. */
int __open_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags, 0); }
int __open64_2(const char *path, int flags) { return open_at(AT_FDCWD, path, flags | O_LARGEFILE, 0); }
int __openat_2(int dir, const char *path, int flags) { return open_at(dir, path, flags, 0); }
int __openat64_2(int dir, const char *path, int flags) { return open_at(dir, path, flags | O_LARGEFILE, 0); }
int creat(const char *path, mode_t mode) { return open_at(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return creat(path, mode); }

int close(int fd) {
    forget(fd);
    return (int)syscall(SYS_close, fd);
}

int fclose(FILE *file) {
    static int (*real)(FILE *);
    if (!real) real = (int (*)(FILE *))dlsym(RTLD_NEXT, "fclose");
    forget(fileno(file));
    return real(file);
}

int dup2(int from, int to) {
    if (from != to) forget(to);
    static int (*real)(int, int);
    if (!real) real = (int (*)(int, int))dlsym(RTLD_NEXT, "dup2");
    return real(from, to);
}

int dup3(int from, int to, int flags) {
    forget(to);
    return (int)syscall(SYS_dup3, from, to, flags);
}

/* ---- writes -------------------------------------------------------------------------------------------------------- */

static ssize_t write_at(int fd, const char *name, const void *data, size_t bytes, off_t offset) {
    enum act act = reach_part(OP_WRITE, name, bytes);
    if (refused(act)) return -1;
    if (act == ACT_SHORT || act == ACT_TORN) bytes /= 2;
    begin();
    ssize_t written = syscall(SYS_pwrite64, fd, data, bytes, offset);
    record(OP_WRITE, written < 0, name, NULL, (uint64_t)offset, data, (uint64_t)(written < 0 ? 0 : written));
    end();
    if (act == ACT_TORN) die();
    return written;
}

/* A write at the descriptor's own position, which moves. */
static ssize_t write_on(int fd, const char *name, const void *data, size_t bytes) {
    enum act act = reach_part(OP_WRITE, name, bytes);
    if (refused(act)) return -1;
    if (act == ACT_SHORT || act == ACT_TORN) bytes /= 2;
    begin();
    int appends = (int)syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND;
    off_t offset = syscall(SYS_lseek, fd, 0, appends ? SEEK_END : SEEK_CUR);
    ssize_t written = syscall(SYS_write, fd, data, bytes);
    record(OP_WRITE, written < 0, name, NULL, (uint64_t)(offset < 0 ? 0 : offset), data, (uint64_t)(written < 0 ? 0 : written));
    end();
    if (act == ACT_TORN) die();
    return written;
}

ssize_t write(int fd, const void *data, size_t bytes) {
    const char *name = name_of(fd);
    return name ? write_on(fd, name, data, bytes) : syscall(SYS_write, fd, data, bytes);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset) {
    const char *name = name_of(fd);
    return name ? write_at(fd, name, data, bytes, offset) : syscall(SYS_pwrite64, fd, data, bytes, offset);
}
ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t offset) { return pwrite(fd, data, bytes, offset); }

/* Several parts are as many writes: any of them may be the last. An offset of -1 is the descriptor's own. */
static ssize_t write_parts(int fd, const char *name, const struct iovec *parts, int count, off_t offset) {
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        const void *data = parts[i].iov_base;
        size_t bytes = parts[i].iov_len;
        ssize_t written = offset < 0 ? write_on(fd, name, data, bytes) : write_at(fd, name, data, bytes, offset + total);
        if (written < 0) return total ? total : -1;
        total += written;
        if ((size_t)written < bytes) break;
    }
    return total;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    const char *name = name_of(fd);
    return name ? write_parts(fd, name, parts, count, -1) : syscall(SYS_writev, fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) {
    const char *name = name_of(fd);
    return name ? write_parts(fd, name, parts, count, offset) : syscall(SYS_pwritev, fd, parts, count, offset, 0);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) { return pwritev(fd, parts, count, offset); }
ssize_t pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags) {
    const char *name = name_of(fd);
    return name ? write_parts(fd, name, parts, count, offset) : syscall(SYS_pwritev2, fd, parts, count, offset, 0, flags);
}
ssize_t pwritev64v2(int fd, const struct iovec *parts, int count, off64_t offset, int flags) { return pwritev2(fd, parts, count, offset, flags); }

/* Copies inside the kernel are done by hand into a file that is looked at: its content is recorded, too. */
static ssize_t copy_by_hand(int from, off_t *from_offset, int to, const char *name, off_t *to_offset, size_t bytes) {
    static __thread char buffer[65536];
    if (bytes > sizeof buffer) bytes = sizeof buffer;
    ssize_t got = from_offset ? syscall(SYS_pread64, from, buffer, bytes, *from_offset) : syscall(SYS_read, from, buffer, bytes);
    if (got <= 0) return got;
    ssize_t put = to_offset ? write_at(to, name, buffer, (size_t)got, *to_offset) : write_on(to, name, buffer, (size_t)got);
    if (put < 0) {
        if (!from_offset) syscall(SYS_lseek, from, -got, SEEK_CUR);
        return -1;
    }
    if (from_offset) *from_offset += put;
    else if (put < got) syscall(SYS_lseek, from, put - got, SEEK_CUR);
    if (to_offset) *to_offset += put;
    return put;
}

ssize_t copy_file_range(int from, off64_t *from_offset, int to, off64_t *to_offset, size_t bytes, unsigned flags) {
    const char *name = name_of(to);
    return name ? copy_by_hand(from, from_offset, to, name, to_offset, bytes)
                : syscall(SYS_copy_file_range, from, from_offset, to, to_offset, bytes, flags);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t bytes) {
    const char *name = name_of(to);
    return name ? copy_by_hand(from, offset, to, name, NULL, bytes) : syscall(SYS_sendfile, to, from, offset, bytes);
}
ssize_t sendfile64(int to, int from, off64_t *offset, size_t bytes) { return sendfile(to, from, offset, bytes); }

/* ---- lengths, syncs, mappings -------------------------------------------------------------------------------------- */

static int resize(int fd, const char *name, off_t bytes) {
    if (refused(reach(OP_RESIZE, name))) return -1;
    begin();
    int failed = (int)syscall(SYS_ftruncate, fd, bytes);
    record(OP_RESIZE, failed, name, NULL, (uint64_t)bytes, NULL, 0);
    end();
    return failed;
}

int ftruncate(int fd, off_t bytes) {
    const char *name = name_of(fd);
    return name ? resize(fd, name, bytes) : (int)syscall(SYS_ftruncate, fd, bytes);
}
int ftruncate64(int fd, off64_t bytes) { return ftruncate(fd, bytes); }

int truncate(const char *path, off_t bytes) {
    char full[PATH_MAX];
    const char *name = watched(AT_FDCWD, path, full);
    if (!name) return (int)syscall(SYS_truncate, path, bytes);
    if (refused(reach(OP_RESIZE, name))) return -1;
    begin();
    int failed = (int)syscall(SYS_truncate, path, bytes);
    record(OP_RESIZE, failed, name, NULL, (uint64_t)bytes, NULL, 0);
    end();
    return failed;
}
int truncate64(const char *path, off64_t bytes) { return truncate(path, bytes); }

static int allocate(int fd, const char *name, int mode, off_t offset, off_t bytes) {
    if (refused(reach(OP_ALLOCATE, name))) return -1;
    begin();
    int failed = (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
    record(OP_ALLOCATE, failed || (mode & FALLOC_FL_KEEP_SIZE), name, NULL, (uint64_t)(offset + bytes), NULL, 0);
    end();
    return failed;
}

int fallocate(int fd, int mode, off_t offset, off_t bytes) {
    const char *name = name_of(fd);
    return name ? allocate(fd, name, mode, offset, bytes) : (int)syscall(SYS_fallocate, fd, mode, offset, bytes);
}
int fallocate64(int fd, int mode, off64_t offset, off64_t bytes) { return fallocate(fd, mode, offset, bytes); }

int posix_fallocate(int fd, off_t offset, off_t bytes) {
    static int (*real)(int, off_t, off_t);
    if (!real) real = (int (*)(int, off_t, off_t))dlsym(RTLD_NEXT, "posix_fallocate");
    const char *name = name_of(fd);
    if (!name) return real(fd, offset, bytes);
    if (refused(reach(OP_ALLOCATE, name))) return errno;
    begin();
    int failed = syscall(SYS_fallocate, fd, 0, offset, bytes) < 0 ? errno : 0;
    if (failed == EOPNOTSUPP) failed = real(fd, offset, bytes); /* libc writes by itself, unseen */
    record(OP_ALLOCATE, failed, name, NULL, (uint64_t)(offset + bytes), NULL, 0);
    end();
    return failed;
}
int posix_fallocate64(int fd, off64_t offset, off64_t bytes) { return posix_fallocate(fd, offset, bytes); }

static int sync_by(int fd, long call) {
    const char *name = name_of(fd);
    if (!name) return (int)syscall(call, fd);
    if (refused(reach(OP_SYNC, name))) return -1;
    begin();
    int failed = (int)syscall(call, fd);
    record(OP_SYNC, failed, name, NULL, 0, NULL, 0);
    end();
    return failed;
}

int fsync(int fd) { return sync_by(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_by(fd, SYS_fdatasync); }

void *mmap(void *at, size_t bytes, int protection, int flags, int fd, off_t offset) {
    const char *name = (flags & MAP_SHARED) && (protection & PROT_WRITE) && fd >= 0 ? name_of(fd) : NULL;
    if (name) note(OP_MAP, 0, name, (uint64_t)offset, bytes); /* what is stored there is not seen */
    return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd, offset);
}
void *mmap64(void *at, size_t bytes, int protection, int flags, int fd, off64_t offset) { return mmap(at, bytes, protection, flags, fd, offset); }

/* ---- names --------------------------------------------------------------------------------------------------------- */

static int unlink_at(int dir, const char *path, int flags) {
    char full[PATH_MAX];
    const char *name = watched(dir, path, full);
    if (!name) return (int)syscall(SYS_unlinkat, dir, path, flags);
    enum op op = flags & AT_REMOVEDIR ? OP_RMDIR : OP_UNLINK;
    if (refused(reach(op, name))) return -1;
    begin();
    int failed = (int)syscall(SYS_unlinkat, dir, path, flags);
    record(op, failed, name, NULL, 0, NULL, 0);
    end();
    if (!failed) forget_name(name);
    return failed;
}

int unlink(const char *path) { return unlink_at(AT_FDCWD, path, 0); }
int unlinkat(int dir, const char *path, int flags) { return unlink_at(dir, path, flags); }
int rmdir(const char *path) { return unlink_at(AT_FDCWD, path, AT_REMOVEDIR); }
int remove(const char *path) {
    int failed = unlink_at(AT_FDCWD, path, 0);
    return failed && (errno == EISDIR || errno == EPERM) ? unlink_at(AT_FDCWD, path, AT_REMOVEDIR) : failed;
}

/* Both names of a rename are below the root, or it is none of ours: a file that comes from outside has no history. */
static int rename_at(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    char full[PATH_MAX], full2[PATH_MAX];
    const char *name = watched(from_dir, from, full), *name2 = watched(to_dir, to, full2);
    if (!name && !name2) return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    if (refused(reach(OP_RENAME, name2 ? name2 : name))) return -1;
    begin();
    int failed = (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
    record(OP_RENAME, failed, name ? name : "", name2 ? name2 : "", 0, NULL, 0);
    end();
    if (!failed) {
        forget_name(name); /* what comes from outside may be open: then all */
        if (name2) forget_name(name2);
    }
    return failed;
}

int rename(const char *from, const char *to) { return rename_at(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_dir, const char *from, int to_dir, const char *to) { return rename_at(from_dir, from, to_dir, to, 0); }
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) { return rename_at(from_dir, from, to_dir, to, flags); }

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    char full[PATH_MAX], full2[PATH_MAX];
    const char *name = watched(from_dir, from, full), *name2 = watched(to_dir, to, full2);
    if (!name2) return (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
    if (refused(reach(OP_LINK, name2))) return -1;
    begin();
    int failed = (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
    record(OP_LINK, failed, name ? name : "", name2, 0, NULL, 0);
    end();
    return failed;
}
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }

int mkdirat(int dir, const char *path, mode_t mode) {
    char full[PATH_MAX];
    const char *name = watched(dir, path, full);
    if (!name) return (int)syscall(SYS_mkdirat, dir, path, mode);
    if (refused(reach(OP_MKDIR, name))) return -1;
    begin();
    int failed = (int)syscall(SYS_mkdirat, dir, path, mode);
    record(OP_MKDIR, failed, name, NULL, 0, NULL, 0);
    end();
    return failed;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }

/* ---- locks --------------------------------------------------------------------------------------------------------- */

static int fcntl_by(int fd, int command, void *argument) {
    int takes = (command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW)
        && ((struct flock *)argument)->l_type != F_UNLCK;
    const char *name = takes ? name_of(fd) : NULL;
    if (name && refused(reach(OP_LOCK, name))) return -1;
    int result = (int)syscall(SYS_fcntl, fd, command, argument);
    if (name) note(OP_LOCK, result < 0, name, 0, 0);
    if ((command == F_DUPFD || command == F_DUPFD_CLOEXEC) && result >= 0) forget(result);
    return result;
}

int fcntl(int fd, int command, ...) {
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    return fcntl_by(fd, command, argument);
}
int fcntl64(int fd, int command, ...) {
    va_list more;
    va_start(more, command);
    void *argument = va_arg(more, void *);
    va_end(more);
    return fcntl_by(fd, command, argument);
}

int flock(int fd, int operation) {
    const char *name = operation & LOCK_UN ? NULL : name_of(fd);
    if (name && refused(reach(OP_LOCK, name))) return -1;
    int failed = (int)syscall(SYS_flock, fd, operation);
    if (name) note(OP_LOCK, failed, name, 0, 0);
    return failed;
}
