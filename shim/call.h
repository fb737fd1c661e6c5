/* A call of a thread that is traced: what it does to which file, read out of the thread's memory and descriptors. */
#include "page.h"
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* The calls that may change files. */
static const int CALLS[] = {
    SYS_open, SYS_openat, SYS_openat2, SYS_creat, SYS_write, SYS_pwrite64, SYS_writev, SYS_pwritev, SYS_pwritev2,
    SYS_copy_file_range, SYS_sendfile, SYS_ftruncate, SYS_truncate, SYS_fallocate, SYS_fsync, SYS_fdatasync, SYS_mmap,
    SYS_unlink, SYS_unlinkat, SYS_rmdir, SYS_rename, SYS_renameat, SYS_renameat2, SYS_link, SYS_linkat, SYS_mkdir,
    SYS_mkdirat, SYS_fcntl, SYS_flock,
};
enum { COUNT = sizeof CALLS / sizeof CALLS[0], PARTS = 1024 };

/* A thread of the tool, and the call in which it is. */
struct call {
    struct call *next;
    pid_t thread;
    int waits; /* for the end of another's call: what is done and what is recorded are in one order */
    uint64_t nr, arg[6];
    enum op op;
    enum act act;
    int64_t offset;  /* of a write; -1: the descriptor's own */
    uint64_t bytes;  /* new length, or of the mapping */
    int parts;       /* of a vectored write */
    struct iovec part[PARTS];
    uint64_t cut;    /* where the length of a part was changed, and what it was */
    uint64_t uncut;
    char name[PATH_MAX], other[PATH_MAX];
};

/* ---- the memory and the descriptors of a thread -------------------------------------------------------------------- */

static ssize_t peek(pid_t thread, uint64_t at, void *into, size_t bytes) {
    struct iovec here = {into, bytes}, there = {(void *)at, bytes};
    return process_vm_readv(thread, &here, 1, &there, 1, 0);
}

static int peek_text(pid_t thread, uint64_t at, char *text) {
    for (size_t got = 0; got < PATH_MAX - 1;) {
        size_t room = 4096 - (at + got) % 4096; /* the next page may not be there */
        if (room > PATH_MAX - 1 - got) room = PATH_MAX - 1 - got;
        if (peek(thread, at + got, text + got, room) != (ssize_t)room) return 0;
        if (memchr(text + got, 0, room)) return 1;
        got += room;
    }
    return 0;
}

static int poke(pid_t thread, uint64_t at, uint64_t word) {
    return ptrace(PTRACE_POKEDATA, thread, (void *)at, (void *)word) == 0;
}

/* Where a link in /proc leads, such as `fd/3` or `cwd`. */
static int link_of(pid_t thread, const char *what, int number, char *out) {
    char link[64];
    snprintf(link, sizeof link, number < 0 ? "/proc/%d/%s" : "/proc/%d/%s/%d", thread, what, number);
    ssize_t n = readlink(link, out, PATH_MAX - 1);
    if (n > 0) out[n] = 0;
    return n > 0;
}

/* The path of a descriptor below the root. */
static int name_fd(pid_t thread, int fd, char *name) {
    char full[PATH_MAX];
    struct stat about;
    const char *rest = fd >= 0 && link_of(thread, "fd", fd, full) ? link_below_root(full) : NULL;
    if (!rest || (stat(full, &about) == 0 && !holds_content(&about))) return 0;
    strcpy(name, rest);
    return 1;
}

/* The whole path that a call names. */
static int full_path(pid_t thread, int dir, uint64_t text, char *full) {
    char path[PATH_MAX], base[PATH_MAX], joined[2 * PATH_MAX];
    if (!text || !peek_text(thread, text, path)) return 0;
    if (path[0] == '/') strcpy(joined, path);
    else if (dir == AT_FDCWD ? link_of(thread, "cwd", -1, base) : link_of(thread, "fd", dir, base))
        snprintf(joined, sizeof joined, "%s/%s", base, path);
    else return 0;
    return normalise(joined, full);
}

/* The path below the root, or empty. */
static int name_path(pid_t thread, int dir, uint64_t text, char *name) {
    char full[PATH_MAX];
    const char *rest = full_path(thread, dir, text, full) ? below_root(full) : NULL;
    strcpy(name, rest ? rest : "");
    return rest != NULL;
}

static int64_t position(pid_t thread, int fd) {
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", thread, fd);
    int info = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = info < 0 ? -1 : read(info, text, sizeof text - 1);
    if (info >= 0) close(info);
    text[n < 0 ? 0 : n] = 0;
    const char *at = strstr(text, "pos:");
    return at ? strtoll(at + 4, NULL, 10) : 0;
}

/* ---- what a call is ------------------------------------------------------------------------------------------------ */

static int of_fd(struct call *call, enum op op, int fd) {
    call->op = op;
    return name_fd(call->thread, fd, call->name);
}

static int of_path(struct call *call, enum op op, int dir, uint64_t path) {
    call->op = op;
    return name_path(call->thread, dir, path, call->name);
}

/* Whether an open changes anything: a file appears, or one that holds something is emptied. */
static int of_open(struct call *call, int dir, uint64_t path, uint64_t flags) {
    char full[PATH_MAX];
    struct stat about;
    if (!(flags & (O_CREAT | O_TRUNC)) || !full_path(call->thread, dir, path, full) || !below_root(full)) return 0;
    int existed = stat(full, &about) == 0;
    call->op = existed ? OP_TRUNCATE_OPEN : OP_CREATE;
    strcpy(call->name, below_root(full));
    return existed ? (flags & O_TRUNC) && about.st_size > 0 : (flags & O_CREAT) != 0;
}

static int of_openat2(struct call *call) {
    struct open_how how;
    return peek(call->thread, call->arg[2], &how, sizeof how) == sizeof how
        && of_open(call, (int)call->arg[0], call->arg[1], how.flags);
}

static int of_write(struct call *call, int fd, int64_t offset) {
    call->offset = offset;
    return of_fd(call, OP_WRITE, fd);
}

static int of_parts(struct call *call, int64_t offset) {
    size_t bytes = call->arg[2] * sizeof(struct iovec);
    if (!of_write(call, (int)call->arg[0], offset) || call->arg[2] > PARTS) return 0;
    call->parts = (int)call->arg[2];
    return peek(call->thread, call->arg[1], call->part, bytes) == (ssize_t)bytes;
}

static int of_copy(struct call *call) {
    int64_t offset = -1;
    if (call->arg[3] && peek(call->thread, call->arg[3], &offset, sizeof offset) != sizeof offset) return 0;
    return of_write(call, (int)call->arg[2], offset);
}

/* Of a descriptor, and with a length. */
static int of_length(struct call *call, enum op op, int fd, uint64_t bytes) {
    call->bytes = bytes;
    return of_fd(call, op, fd);
}

static int of_truncate(struct call *call) {
    call->bytes = call->arg[1];
    return of_path(call, OP_RESIZE, AT_FDCWD, call->arg[0]);
}

static int of_two(struct call *call, enum op op, int from_dir, uint64_t from, int to_dir, uint64_t to) {
    call->op = op;
    int has_first = name_path(call->thread, from_dir, from, call->name);
    return name_path(call->thread, to_dir, to, call->other) || (op == OP_RENAME && has_first);
}

static int of_lock(struct call *call) {
    struct flock lock;
    int command = (int)call->arg[1];
    int takes = command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK || command == F_OFD_SETLKW;
    return takes && peek(call->thread, call->arg[2], &lock, sizeof lock) == sizeof lock && lock.l_type != F_UNLCK
        && of_fd(call, OP_LOCK, (int)call->arg[0]);
}

/* Whether the call does something to a file that is looked at; then to which. */
static int is_looked_at(struct call *call) {
    uint64_t *a = call->arg;
    int first = (int)a[0];
    call->parts = 0;
    call->bytes = call->cut = 0;
    call->other[0] = 0;
    switch (call->nr) {
    case SYS_open: return of_open(call, AT_FDCWD, a[0], a[1]);
    case SYS_creat: return of_open(call, AT_FDCWD, a[0], O_CREAT | O_TRUNC);
    case SYS_openat: return of_open(call, first, a[1], a[2]);
    case SYS_openat2: return of_openat2(call);
    case SYS_write: return of_write(call, first, -1);
    case SYS_pwrite64: return of_write(call, first, (int64_t)a[3]);
    case SYS_writev: return of_parts(call, -1);
    case SYS_pwritev: case SYS_pwritev2: return of_parts(call, (int64_t)a[3]);
    case SYS_copy_file_range: return of_copy(call);
    case SYS_sendfile: return of_write(call, first, -1);
    case SYS_ftruncate: return of_length(call, OP_RESIZE, first, a[1]);
    case SYS_truncate: return of_truncate(call);
    case SYS_fallocate: return of_length(call, OP_ALLOCATE, first, a[2] + a[3]);
    case SYS_fsync: case SYS_fdatasync: return of_fd(call, OP_SYNC, first);
    case SYS_mmap: return (a[3] & MAP_SHARED) && (a[2] & PROT_WRITE) && of_length(call, OP_MAP, (int)a[4], a[1]);
    case SYS_unlink: return of_path(call, OP_UNLINK, AT_FDCWD, a[0]);
    case SYS_unlinkat: return of_path(call, a[2] & AT_REMOVEDIR ? OP_RMDIR : OP_UNLINK, first, a[1]);
    case SYS_rmdir: return of_path(call, OP_RMDIR, AT_FDCWD, a[0]);
    case SYS_rename: return of_two(call, OP_RENAME, AT_FDCWD, a[0], AT_FDCWD, a[1]);
    case SYS_renameat: case SYS_renameat2: return of_two(call, OP_RENAME, first, a[1], (int)a[2], a[3]);
    case SYS_link: return of_two(call, OP_LINK, AT_FDCWD, a[0], AT_FDCWD, a[1]);
    case SYS_linkat: return of_two(call, OP_LINK, first, a[1], (int)a[2], a[3]);
    case SYS_mkdir: return of_path(call, OP_MKDIR, AT_FDCWD, a[0]);
    case SYS_mkdirat: return of_path(call, OP_MKDIR, first, a[1]);
    case SYS_fcntl: return of_lock(call);
    case SYS_flock: return !(a[1] & LOCK_UN) && of_fd(call, OP_LOCK, first);
    default: return 0;
    }
}
