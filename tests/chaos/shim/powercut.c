/* What a power cut would leave: a side log of which bytes and which names have reached the disk.
 *
 * Preloaded into the process under test. For every file below $POWERCUT_ROOT it appends one line to
 * $POWERCUT_LOG (records end with \n, fields are separated by \t, paths are absolute):
 *
 *   create P        a name came into being (open with O_CREAT where nothing was)
 *   sync P SIZE L   fsync/fdatasync of the file P returned 0 when SIZE bytes were in it and it was L long
 *   syncdir P       fsync of the directory P returned 0
 *   rename A B G    rename; G is where what B named before was kept ("-": nothing)
 *   unlink P G      unlink; G is where the file is kept
 *   mkdir P
 *
 * A file that was made longer beforehand (posix_fallocate) holds as much as its writer has written: that is
 * where the descriptor stands. Who syncs through one that has written nothing syncs all of the file.
 *
 * The size is taken before the sync and the line is written after it, so a kill between the two forgets a
 * sync that nobody was told of. sync_file_range, sync_file_range2 and plain writes are no syncs: nothing is
 * logged for them. Replaced and removed files stay reachable under $POWERCUT_GRAVES, so that a cut can bring
 * back names whose removal had not reached the disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int log_fd = -1;
static char root[PATH_MAX];
static size_t root_length;
static const char *graves;
static atomic_int grave_serial;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("POWERCUT_LOG");
    const char *below = getenv("POWERCUT_ROOT");
    graves = getenv("POWERCUT_GRAVES");
    if (path == NULL || below == NULL || graves == NULL)
        return;
    snprintf(root, sizeof root, "%s/", below);
    root_length = strlen(root);
    log_fd = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    atomic_store(&grave_serial, (int)getpid() % 1000 * 100000);
}

__attribute__((format(printf, 1, 2))) static void record(const char *format, ...) {
    char line[3 * PATH_MAX];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    int saved = errno;
    if (size < 0 || REAL(write)(log_fd, line, (size_t)size) != size)
        abort(); /* a log with a hole would accuse the wrong one */
    errno = saved;
}

/* The absolute path in `out`; 1 when it lies below the root (or is the root). */
static int watched(int dirfd, const char *path, char *out) {
    if (log_fd < 0)
        return 0;
    if (path[0] == '/') {
        snprintf(out, PATH_MAX, "%s", path);
    } else {
        char link[64], base[PATH_MAX];
        if (dirfd == AT_FDCWD)
            snprintf(link, sizeof link, "/proc/self/cwd");
        else
            snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
        ssize_t size = readlink(link, base, sizeof base - 1);
        if (size < 0)
            return 0;
        base[size] = 0;
        if (snprintf(out, PATH_MAX, "%s/%s", base, path) >= PATH_MAX)
            return 0;
    }
    return strncmp(out, root, root_length) == 0 || strncmp(out, root, root_length - 1) == 0;
}

static void synced(int fd, off_t size, off_t length_then) {
    char link[64], path[PATH_MAX];
    struct stat status;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (log_fd < 0 || length < 0 || fstat(fd, &status) != 0)
        return;
    path[length] = 0;
    if (strncmp(path, root, root_length - 1) != 0)
        return;
    if (S_ISDIR(status.st_mode))
        record("syncdir\t%s\n", path);
    else
        record("sync\t%s\t%lld\t%lld\n", path, (long long)size, (long long)length_then);
}

static off_t length_of(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 ? status.st_size : 0;
}

static off_t written_to(int fd) {
    off_t at = lseek(fd, 0, SEEK_CUR), length = length_of(fd);
    return at > 0 && at < length ? at : length;
}

int fsync(int fd) {
    off_t size = written_to(fd), length = length_of(fd);
    int result = REAL(fsync)(fd);
    if (result == 0)
        synced(fd, size, length);
    return result;
}

int fdatasync(int fd) {
    off_t size = written_to(fd), length = length_of(fd);
    int result = REAL(fdatasync)(fd);
    if (result == 0)
        synced(fd, size, length);
    return result;
}

static void note_creation(int dirfd, const char *path, int flags) {
    char absolute[PATH_MAX];
    if ((flags & O_CREAT) && watched(dirfd, path, absolute) && access(absolute, F_OK) != 0)
        record("create\t%s\n", absolute);
}

#define OPEN(name)                                                                                     \
    int name(const char *path, int flags, ...) {                                                       \
        va_list arguments;                                                                             \
        va_start(arguments, flags);                                                                    \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0;                 \
        va_end(arguments);                                                                             \
        note_creation(AT_FDCWD, path, flags);                                                          \
        return REAL(name)(path, flags, mode);                                                          \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                                   \
    int name(int dirfd, const char *path, int flags, ...) {                                            \
        va_list arguments;                                                                             \
        va_start(arguments, flags);                                                                    \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(arguments, mode_t) : 0;                 \
        va_end(arguments);                                                                             \
        note_creation(dirfd, path, flags);                                                             \
        return REAL(name)(dirfd, path, flags, mode);                                                   \
    }
OPENAT(openat)
OPENAT(openat64)

#define FOPEN(name)                                                                                    \
    FILE *name(const char *path, const char *mode) {                                                   \
        if (mode[0] != 'r')                                                                            \
            note_creation(AT_FDCWD, path, O_CREAT);                                                    \
        return REAL(name)(path, mode);                                                                 \
    }
FOPEN(fopen)
FOPEN(fopen64)

int mkdir(const char *path, mode_t mode) {
    char absolute[PATH_MAX];
    int result = REAL(mkdir)(path, mode);
    if (result == 0 && watched(AT_FDCWD, path, absolute))
        record("mkdir\t%s\n", absolute);
    return result;
}

/* A second name for what is about to lose its first one; "-" when there is nothing. */
static void keep(const char *path, char *grave) {
    snprintf(grave, PATH_MAX, "%s/%d", graves, atomic_fetch_add(&grave_serial, 1));
    if (link(path, grave) != 0)
        snprintf(grave, PATH_MAX, "-");
}

int rename(const char *from, const char *to) {
    char source[PATH_MAX], target[PATH_MAX], grave[PATH_MAX];
    int ours = watched(AT_FDCWD, from, source) && watched(AT_FDCWD, to, target);
    int saved = errno;
    if (ours)
        keep(to, grave);
    errno = saved;
    int result = REAL(rename)(from, to);
    if (ours && result == 0)
        record("rename\t%s\t%s\t%s\n", source, target, grave);
    return result;
}

int unlink(const char *path) {
    char absolute[PATH_MAX], grave[PATH_MAX];
    int ours = watched(AT_FDCWD, path, absolute);
    int saved = errno;
    if (ours)
        keep(path, grave);
    errno = saved;
    int result = REAL(unlink)(path);
    if (ours && result == 0)
        record("unlink\t%s\t%s\n", absolute, grave);
    return result;
}
