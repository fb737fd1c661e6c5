/* Writes a copy of a file beside the new one, and renames it: raw_swap OLD NEW [sync]. It calls the kernel itself, also
 * where it is linked to a libc; with GO it has the note that Go writes. Planted bug: without `sync` the copy is not synced
 * before it gets its name. */
#include <fcntl.h>
#include <sys/syscall.h>

#ifdef GO
__asm__(".pushsection .note.go.buildid, \"a\", @note\n .long 4, 8, 4\n .asciz \"Go\\0\\0build/7\"\n .popsection");
#endif

static long call(long nr, long a, long b, long c) {
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return result;
}

static void append(char *text, const char *more) {
    while (*text) text++;
    while ((*text++ = *more++)) {}
}

static void sync_path(const char *path) {
    long fd = call(SYS_open, (long)path, O_RDONLY, 0);
    call(SYS_fsync, fd, 0, 0);
}

__attribute__((used)) static void run(long *stack) {
    static char buffer[65536], copy[4096], folder[4096];
    long count = stack[0], n;
    char **arguments = (char **)(stack + 1), *slash = folder;
    append(copy, arguments[2]);
    append(copy, ".tmp");
    append(folder, arguments[2]);
    for (char *at = folder; *at; at++) if (*at == '/') slash = at;
    *slash = 0;
    long old = call(SYS_open, (long)arguments[1], O_RDONLY, 0);
    long new = call(SYS_open, (long)copy, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (old < 0 || new < 0) call(SYS_exit_group, 1, 0, 0);
    while ((n = call(SYS_read, old, (long)buffer, sizeof buffer)) > 0) {
        if (call(SYS_write, new, (long)buffer, n) != n) call(SYS_exit_group, 1, 0, 0);
    }
    if (count > 3) sync_path(copy);
    if (call(SYS_rename, (long)copy, (long)arguments[2], 0) < 0) call(SYS_exit_group, 1, 0, 0);
    if (count > 3) sync_path(folder);
    call(SYS_exit_group, 0, 0, 0);
}

__attribute__((naked)) void _start(void) { __asm__("mov %rsp, %rdi\n and $-16, %rsp\n call run"); }
