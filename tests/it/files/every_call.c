/* Each call that changes files, once; for what records it. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

int main(void) {
    struct iovec parts[3] = {{"one", 3}, {"two", 3}, {"three", 5}};
    off_t from = 2, to = 40;
    int a = open("a", O_RDWR | O_CREAT, 0644), b = openat(AT_FDCWD, "./b", O_RDWR | O_CREAT | O_TRUNC, 0644);
    write(a, "0123456789", 10);
    pwrite(a, "abc", 3, 20);
    writev(a, parts, 3);
    pwritev(a, parts, 3, 30);
    pwritev2(a, parts, 2, -1, 0);
    copy_file_range(a, &from, b, &to, 8, 0);
    lseek(a, 0, SEEK_SET);
    sendfile(b, a, NULL, 6);
    ftruncate(a, 25);
    fallocate(b, 0, 0, 64);
    fsync(a);
    fdatasync(b);
    flock(a, LOCK_EX);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    fcntl(b, F_SETLK, &lock);
    munmap(mmap(NULL, 25, PROT_READ | PROT_WRITE, MAP_SHARED, a, 0), 25);
    truncate("a", 24);
    mkdir("d", 0755);
    link("a", "d/e");
    rename("b", "d/../f");
    renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_NOREPLACE);
    unlink("missing");
    int only = open("a", O_RDONLY);
    write(only, "not", 3);
    pwrite(only, "taken", 5, 7);
    unlink("a");
    unlinkat(AT_FDCWD, "d/e", 0);
    rmdir("d");
    close(creat("g", 0644));
    int c = open("c", O_WRONLY | O_CREAT | O_APPEND, 0644);
    write(c, "x", 1);
    write(c, "yz", 2);
    return 0;
}
