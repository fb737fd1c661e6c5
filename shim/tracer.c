/* The file tracer: what the file shim does, for programs into which nothing can be preloaded. `tracer CONTROL PROGRAM
 * ARGUMENT...` becomes the program; an orphan of its own follows it and all that it starts (ptrace), and is stopped by
 * the kernel at calls that change files only (seccomp). Slower than the shim, and sees the same: the record has the
 * same form, and the control page is the same.
 *
 * The orphan has no environment, no group and no open file of the tool's, so that nobody takes it for a part of it. It
 * ends when the last process does; if it dies, they die.
 */
#define _GNU_SOURCE
#include "call.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <linux/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

static struct call *calls, *owner; /* the owner's call is being done */
static pid_t struck;               /* the thread that is looked at */
static int log_fd = -1;

static int dies_later;             /* what comes before the point must be done first */

static void die(void) {
    if (!dies_later) kill(-getpgid(struck), SIGKILL);
}

/* ---- the record ---------------------------------------------------------------------------------------------------- */

static void record(struct call *call, int failed, uint64_t offset, const void *data, uint64_t bytes) {
    if (log_fd < 0 || !page->recording) return;
    struct record head = entry(call->op, failed, call->name, call->other, offset, data, bytes);
    struct iovec parts[] = {
        {&head, sizeof head}, {call->name, head.path_bytes}, {call->other, head.path2_bytes},
        {(void *)data, data_bytes(&head)},
    };
    uint64_t total = sizeof head + head.path_bytes + head.path2_bytes + data_bytes(&head);
    if (pwritev(log_fd, parts, 4, (off_t)page->log_bytes) == (ssize_t)total) {
        __atomic_add_fetch(&page->log_bytes, total, __ATOMIC_SEQ_CST);
    } else {
        log_fd = -1; /* the disk is full: the record ends here, which the harness sees */
    }
}

/* What a call inside the kernel wrote, as it is in the file now. */
static ssize_t read_back(struct call *call, int fd, int64_t offset, void *into, size_t bytes) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd/%d", call->thread, fd);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = file < 0 ? -1 : pread(file, into, bytes, offset);
    if (file >= 0) close(file);
    return n;
}

/* `bytes` at `offset` came from `source` in the memory of the tool, or from another file where that is 0. */
static void record_written(struct call *call, int fd, int64_t offset, uint64_t source, uint64_t bytes) {
    char *data = page->recording & RECORD_DATA ? malloc(bytes ? bytes : 1) : NULL;
    ssize_t n = !data ? 0 : source ? peek(call->thread, source, data, bytes) : read_back(call, fd, offset, data, bytes);
    record(call, n < 0, (uint64_t)offset, data, bytes);
    free(data);
}

static void record_write(struct call *call, int64_t result) {
    int fd = (int)call->arg[call->nr == SYS_copy_file_range ? 2 : 0];
    if (result < 0) {
        record(call, 1, (uint64_t)(call->offset < 0 ? 0 : call->offset), NULL, 0);
        return;
    }
    int64_t offset = call->offset < 0 ? position(call->thread, fd) - result : call->offset;
    int inside = call->nr == SYS_copy_file_range || call->nr == SYS_sendfile;
    if (!call->parts) {
        if (result > 0 || !inside) record_written(call, fd, offset, inside ? 0 : call->arg[1], (uint64_t)result);
        return;
    }
    for (int i = 0; i < call->parts && result > 0; i++) {
        int64_t bytes = (int64_t)call->part[i].iov_len < result ? (int64_t)call->part[i].iov_len : result;
        record_written(call, fd, offset, (uint64_t)call->part[i].iov_base, (uint64_t)bytes);
        offset += bytes, result -= bytes;
    }
}

/* ---- striking ------------------------------------------------------------------------------------------------------ */

static void resume(struct call *call, int request, int signal) {
    ptrace((enum __ptrace_request)request, call->thread, NULL, (void *)(intptr_t)signal);
}

static void set_argument(struct call *call, int index, uint64_t value) {
    static const size_t place[] = {
        offsetof(struct user_regs_struct, rdi), offsetof(struct user_regs_struct, rsi),
        offsetof(struct user_regs_struct, rdx), offsetof(struct user_regs_struct, r10),
        offsetof(struct user_regs_struct, r8), offsetof(struct user_regs_struct, r9),
    };
    ptrace(PTRACE_POKEUSER, call->thread, (void *)place[index], (void *)value);
}

/* The kernel does not do it, and the tool is told why. */
static void refuse(struct call *call, int code) {
    ptrace(PTRACE_POKEUSER, call->thread, (void *)offsetof(struct user_regs_struct, orig_rax), (void *)-1L);
    ptrace(PTRACE_POKEUSER, call->thread, (void *)offsetof(struct user_regs_struct, rax), (void *)(intptr_t)-code);
    resume(call, PTRACE_CONT, 0);
}

/* Each part is a write. What comes before the one that is struck is done; so is half of it, where half is wanted. */
static int reach_parts(struct call *call) {
    for (int i = 0; i < call->parts; i++) {
        size_t bytes = call->part[i].iov_len;
        dies_later = i > 0;
        call->act = reach_part(OP_WRITE, call->name, bytes);
        dies_later = 0;
        if (call->act == ACT_NONE || call->act == ACT_HOLD) continue;
        int halves = call->act == ACT_SHORT || call->act == ACT_TORN;
        if (halves) {
            call->cut = call->arg[1] + (uint64_t)i * sizeof(struct iovec) + offsetof(struct iovec, iov_len);
            call->uncut = bytes;
            call->part[i].iov_len = bytes / 2;
            poke(call->thread, call->cut, bytes / 2);
        }
        if (i + halves == 0) return refusal(call->act);
        set_argument(call, 2, (uint64_t)(i + halves));
        call->parts = i + halves;
        return 0;
    }
    return 0;
}

/* The code with which it is refused; 0: the kernel does it. */
static int reach_call(struct call *call) {
    if (call->parts) return reach_parts(call);
    int counted = call->nr == SYS_copy_file_range ? 4 : call->nr == SYS_sendfile ? 3 : 2;
    call->act = reach_part(call->op, call->name, call->op == OP_WRITE ? call->arg[counted] : 0);
    if (call->op == OP_WRITE && (call->act == ACT_SHORT || call->act == ACT_TORN)) {
        set_argument(call, counted, call->arg[counted] / 2);
    }
    return refusal(call->act);
}

static int is_ordered(const struct call *call) { return call->op != OP_LOCK && call->op != OP_MAP; }

/* Of a rename the new name counts. */
static void count_by_new_name(struct call *call, char *kept) {
    strcpy(kept, call->name);
    if ((call->op == OP_RENAME || call->op == OP_LINK) && call->other[0]) strcpy(call->name, call->other);
}

static void begin(struct call *call) {
    char old[PATH_MAX];
    struck = call->thread;
    count_by_new_name(call, old);
    int code = call->op == OP_MAP ? 0 : reach_call(call);
    strcpy(call->name, old);
    if (code) {
        refuse(call, code);
        return;
    }
    if (is_ordered(call)) owner = call;
    resume(call, PTRACE_SYSCALL, 0);
}

/* The next that waits, now that nobody's call is being done. */
static void let_next(void) {
    for (struct call *call = calls; call && !owner; call = call->next) {
        if (!call->waits) continue;
        call->waits = 0;
        begin(call);
    }
}

static void entered(struct call *call) {
    struct ptrace_syscall_info info;
    ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_INFO, call->thread, (void *)sizeof info, &info);
    call->nr = info.seccomp.nr;
    for (int i = 0; i < 6; i++) call->arg[i] = info.seccomp.args[i];
    if (!is_looked_at(call)) {
        resume(call, PTRACE_CONT, 0);
    } else if (is_ordered(call) && owner) {
        call->waits = 1;
    } else {
        begin(call);
    }
}

static void done(struct call *call) {
    struct ptrace_syscall_info info;
    ptrace((enum __ptrace_request)PTRACE_GET_SYSCALL_INFO, call->thread, (void *)sizeof info, &info);
    int64_t result = info.exit.rval;
    if (call->cut) poke(call->thread, call->cut, call->uncut);
    int keeps_size = call->op == OP_ALLOCATE && (call->arg[1] & FALLOC_FL_KEEP_SIZE);
    if (call->op == OP_WRITE) record_write(call, result);
    else if (call->op == OP_MAP) record(call, 0, call->arg[5], NULL, call->bytes);
    else record(call, result < 0 || keeps_size, call->bytes, NULL, 0);
    struck = call->thread;
    if (call->op == OP_WRITE && (call->act == ACT_TORN || call->act == ACT_KILL)) die();
    if (owner == call) owner = NULL;
    resume(call, PTRACE_CONT, 0);
    let_next();
}

/* ---- following ----------------------------------------------------------------------------------------------------- */

static struct call *of_thread(pid_t thread) {
    for (struct call *call = calls; call; call = call->next) if (call->thread == thread) return call;
    struct call *call = calloc(1, sizeof *call);
    if (!call) _exit(70);
    call->thread = thread;
    call->next = calls;
    return calls = call;
}

static void gone(pid_t thread) {
    for (struct call **at = &calls; *at; at = &(*at)->next) {
        struct call *call = *at;
        if (call->thread != thread) continue;
        *at = call->next;
        if (owner == call) owner = NULL;
        free(call);
        break;
    }
    let_next();
}

/* A new program; of several threads the others are gone, and it has the number of the first. */
static void executed(struct call *call) {
    unsigned long before = 0;
    ptrace(PTRACE_GETEVENTMSG, call->thread, NULL, &before);
    __atomic_add_fetch(&page->attached, 1, __ATOMIC_SEQ_CST);
    resume(call, PTRACE_CONT, 0);
    if ((pid_t)before != call->thread) gone((pid_t)before);
}

static void stopped(struct call *call, int status) {
    int signal = WSTOPSIG(status), event = status >> 16;
    if (event == PTRACE_EVENT_SECCOMP) entered(call);
    else if (event == PTRACE_EVENT_EXEC) executed(call);
    else if (event == PTRACE_EVENT_STOP && (signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU))
        resume(call, PTRACE_LISTEN, 0);
    else if (event) resume(call, PTRACE_CONT, 0);
    else if (signal == (SIGTRAP | 0x80)) done(call);
    else resume(call, PTRACE_CONT, signal);
}

/* Until the last process of the tool is gone. */
static void follow(void) {
    int status;
    for (;;) {
        pid_t thread = waitpid(-1, &status, __WALL);
        if (thread < 0 && errno == EINTR) continue;
        if (thread < 0) return;
        if (WIFSTOPPED(status)) stopped(of_thread(thread), status);
        else gone(thread);
    }
}

static int map_page(const char *path) {
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED || ((struct control *)map)->magic != MAGIC) return 0;
    page = map;
    root_bytes = strlen(page->root);
    log_fd = open(page->log, O_RDWR | O_CLOEXEC);
    return 1;
}

/* `tracer --follow CONTROL PID`, with one end of a pipe as its input, on which it says that it follows. */
static int trace(const char *control, pid_t tool) {
    long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK
        | PTRACE_O_TRACEVFORK | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
    if (!map_page(control) || ptrace(PTRACE_SEIZE, tool, NULL, (void *)options) < 0) return 1;
    if (write(STDIN_FILENO, "", 1) != 1) return 1;
    close(STDIN_FILENO);
    follow();
    return 0;
}

/* ---- becoming the tool --------------------------------------------------------------------------------------------- */

/* Stops are paid for by calls that may change files, and by no other: opening for reading and mapping of a program's own
 * are most of what there is, and told by an argument. */
static int filter(void) {
    enum { OPEN = 3 + COUNT + 1, MAP = OPEN + 2, ALLOW = MAP + 2, TRACE, END };
    struct sock_filter code[END] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, ALLOW - 2),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    };
    for (int i = 0; i < COUNT; i++) {
        int next = 3 + i, to = CALLS[i] == SYS_openat ? OPEN : CALLS[i] == SYS_mmap ? MAP : TRACE;
        code[next] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)CALLS[i], (uint8_t)(to - next - 1), 0);
    }
    code[OPEN - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[OPEN] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]));
    code[OPEN + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_CREAT | O_TRUNC, TRACE - OPEN - 2, ALLOW - OPEN - 2);
    code[MAP] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[3]));
    code[MAP + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_SHARED, TRACE - MAP - 2, ALLOW - MAP - 2);
    code[ALLOW] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    code[TRACE] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog program = {END, code};
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0) return 1;
    /* Whoever may not do it so may, if no program gets more rights afterwards. */
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* A child of a child, which belongs to nobody; the tool has no child that it did not start. */
static void start_follower(const char *control, int pipe_end) {
    char tool[16];
    snprintf(tool, sizeof tool, "%d", getpid());
    pid_t child = fork();
    if (child > 0) waitpid(child, NULL, 0);
    if (child != 0) return;
    if (fork() != 0) _exit(0);
    setsid();
    if (chdir("/") < 0) _exit(70);
    dup2(pipe_end, STDIN_FILENO);
    int nothing = open("/dev/null", O_RDWR);
    dup2(nothing, STDOUT_FILENO);
    dup2(nothing, STDERR_FILENO);
#ifdef SYS_close_range
    syscall(SYS_close_range, 3, ~0u, 0);
#endif
    char *argv[] = {"tracer", "--follow", (char *)control, tool, NULL}, *no_environment[] = {NULL};
    execve("/proc/self/exe", argv, no_environment);
    _exit(70);
}

static int give_up(const char *why) {
    dprintf(STDERR_FILENO, "rehearse: %s, so a static executable cannot be watched here\n", why);
    return 125;
}

int main(int count, char **arguments) {
    if (count == 4 && strcmp(arguments[1], "--follow") == 0) return trace(arguments[2], atoi(arguments[3]));
    if (count < 3) return give_up("there is no program");
    int ends[2];
    char byte;
    if (pipe2(ends, O_CLOEXEC) < 0) return give_up("there is no pipe");
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY, 0, 0, 0);
    start_follower(arguments[1], ends[1]);
    close(ends[1]);
    if (read(ends[0], &byte, 1) != 1) return give_up("processes may not be traced (ptrace)");
    close(ends[0]);
    if (!filter()) return give_up("calls cannot be filtered (seccomp)");
    execvp(arguments[2], arguments + 2);
    dprintf(STDERR_FILENO, "%s: %s\n", arguments[2], strerror(errno));
    return 127;
}
