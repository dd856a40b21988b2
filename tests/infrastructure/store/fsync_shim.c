/* Preloaded into a process, notes in the file $STORE_TRACE what it does: w a write to a write-ahead log, s a sync of it
   that returned, a a write to standard output. While the file $STORE_FULL exists, the disk of databases is full. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define REAL(type, name, ...) ((type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name))

static int ends(const char *path, const char *end) {
    size_t n = strlen(path), m = strlen(end);
    return n >= m && strcmp(path + n - m, end) == 0;
}

static int names(int fd, const char *end) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n < 0) return 0;
    path[n] = 0;
    return ends(path, end);
}

static void note(char what) {
    static int trace = -1;
    const char *path = getenv("STORE_TRACE");
    if (!path) return;
    if (trace < 0) trace = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    REAL(ssize_t, "write", int, const void *, size_t)(trace, &what, 1);
}

static int full(int fd) {
    const char *flag = getenv("STORE_FULL");
    if (!flag || access(flag, F_OK) != 0 || !(names(fd, "-wal") || names(fd, ".db"))) return 0;
    errno = ENOSPC;
    return 1;
}

ssize_t write(int fd, const void *bytes, size_t n) {
    if (fd == 1) note('a');
    if (full(fd)) return -1;
    if (names(fd, "-wal")) note('w');
    return REAL(ssize_t, "write", int, const void *, size_t)(fd, bytes, n);
}

ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t at) {
    if (full(fd)) return -1;
    if (names(fd, "-wal")) note('w');
    return REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t)(fd, bytes, n, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t n, off_t at) {
    if (full(fd)) return -1;
    if (names(fd, "-wal")) note('w');
    return REAL(ssize_t, "pwrite", int, const void *, size_t, off_t)(fd, bytes, n, at);
}

int fdatasync(int fd) {
    int result = REAL(int, "fdatasync", int)(fd);
    if (result == 0 && names(fd, "-wal")) note('s');
    return result;
}

int fsync(int fd) {
    int result = REAL(int, "fsync", int)(fd);
    if (result == 0 && names(fd, "-wal")) note('s');
    return result;
}
