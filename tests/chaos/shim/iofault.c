/* A disk that fails on demand: chosen calls on chosen files return an error while a trigger file exists.
 *
 * Preloaded into the process under test. The file $IOFAULT_TRIGGER, once it is there, holds one line:
 *
 *   ERRNO CALLS PART      for example "EIO fsync,fdatasync /data/" or "ENOSPC write,pwrite .log"
 *
 * Every call of the list on a file whose path contains PART then fails with that errno and does nothing
 * else. With SLOWn instead of an errno it takes n milliseconds more and succeeds. Each time a byte is
 * appended to $IOFAULT_COUNT, so a test can tell that its fault was hit.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void count_failure(void) {
    const char *path = getenv("IOFAULT_COUNT");
    if (path == NULL)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd >= 0) {
        syscall(SYS_write, fd, ".", 1);
        syscall(SYS_close, fd);
    }
}

/* The errno that this call on this descriptor shall fail with, 0 for none. */
static int fault(const char *call, int fd) {
    const char *trigger = getenv("IOFAULT_TRIGGER");
    if (trigger == NULL || access(trigger, F_OK) != 0)
        return 0;
    char text[PATH_MAX], name[16], calls[64], part[256], link[64], path[PATH_MAX];
    int plan = (int)syscall(SYS_openat, AT_FDCWD, trigger, O_RDONLY | O_CLOEXEC);
    if (plan < 0)
        return 0;
    ssize_t size = read(plan, text, sizeof text - 1);
    syscall(SYS_close, plan);
    text[size < 0 ? 0 : size] = 0;
    if (sscanf(text, "%15s %63s %255s", name, calls, part) != 3)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof path - 1);
    path[size < 0 ? 0 : size] = 0;
    if (strstr(path, part) == NULL)
        return 0;
    for (char *word = strtok(calls, ","); word != NULL; word = strtok(NULL, ","))
        if (strcmp(word, call) == 0) {
            count_failure();
            if (strncmp(name, "SLOW", 4) == 0) {
                usleep((useconds_t)atoi(name + 4) * 1000);
                return 0;
            }
            return strcmp(name, "ENOSPC") == 0 ? ENOSPC : EIO;
        }
    return 0;
}

#define FAIL(call, fd)                                                                                 \
    do {                                                                                               \
        int saved = errno, error = fault(call, fd);                                                    \
        errno = saved;                                                                                 \
        if (error != 0) {                                                                              \
            errno = error;                                                                             \
            return -1;                                                                                 \
        }                                                                                              \
    } while (0)

int fsync(int fd) {
    FAIL("fsync", fd);
    return REAL(fsync)(fd);
}

int fdatasync(int fd) {
    FAIL("fdatasync", fd);
    return REAL(fdatasync)(fd);
}

ssize_t write(int fd, const void *data, size_t size) {
    FAIL("write", fd);
    return REAL(write)(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    FAIL("write", fd);
    return REAL(writev)(fd, parts, count);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    FAIL("pwrite", fd);
    return REAL(pwrite)(fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    FAIL("pwrite", fd);
    return REAL(pwrite64)(fd, data, size, offset);
}
