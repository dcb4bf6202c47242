/* Injects system errors into a program: loaded before the C library, it makes chosen calls of open (to create), write,
 * fsync, rename and unlink fail, wait, or kill the process.
 *
 * FAULT_PATH   counts only calls whose path contains this text
 * FAULT        CALL:NTH:WHAT; CALL is one of the five or "any"; NTH counts from 1, and a "+" after it includes all
 *              later calls; WHAT is an error number, KILL, or WAIT. A write to a full disk writes half of the bytes
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static atomic_int calls;

/* Returns whether this call, which concerns `path`, must fail, and sets errno. */
static int fails(const char *call, const char *path) {
    const char *part = getenv("FAULT_PATH"), *fault = getenv("FAULT");
    if (!part || !fault || !strstr(path, part)) return 0;
    char which[16], nth[16], what[16];
    if (sscanf(fault, "%15[^:]:%15[^:]:%15s", which, nth, what) != 3) abort();
    if (strcmp(which, "any") && strcmp(which, call)) return 0;
    int number = atomic_fetch_add(&calls, 1) + 1, from = atoi(nth);
    if (number < from || (number > from && !strchr(nth, '+'))) return 0;
    if (!strcmp(what, "KILL")) {
        kill(getpid(), SIGKILL);
        pause();
    }
    if (!strcmp(what, "WAIT")) {
        /* A signal does not end it. */
        for (unsigned left = 600; left;) left = sleep(left);
        return 0;
    }
    errno = atoi(what);
    return 1;
}

static const char *path_of(int fd, char *buffer, size_t size) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, buffer, size - 1);
    buffer[length > 0 ? length : 0] = 0;
    return buffer;
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if ((flags & O_CREAT) && fails("open", path)) return -1;
    return NEXT(open64)(path, flags, mode);
}

ssize_t write(int fd, const void *bytes, size_t count) {
    char path[4096];
    if (getenv("FAULT") && fd > 2) {
        const char *fault = getenv("FAULT");
        /* A process killed during a write has written part of the bytes. */
        if (strstr(fault, "KILL") && strstr(path_of(fd, path, sizeof path), getenv("FAULT_PATH"))) {
            ssize_t half = NEXT(write)(fd, bytes, count / 2);
            if (fails("write", path)) return -1;
            ssize_t rest = NEXT(write)(fd, (const char *)bytes + half, count - half);
            return rest < 0 ? half : half + rest;
        }
        if (fails("write", path_of(fd, path, sizeof path))) {
            int error = errno;
            /* A disk that fills up has stored part of the bytes. */
            ssize_t half = error == ENOSPC ? NEXT(write)(fd, bytes, count / 2) : 0;
            errno = half < 0 ? EIO : error;
            return -1;
        }
    }
    return NEXT(write)(fd, bytes, count);
}

int fsync(int fd) {
    char path[4096];
    if (fails("fsync", path_of(fd, path, sizeof path))) return -1;
    return NEXT(fsync)(fd);
}

int rename(const char *from, const char *to) {
    if (fails("rename", to)) return -1;
    return NEXT(rename)(from, to);
}

int unlink(const char *path) {
    if (fails("unlink", path)) return -1;
    return NEXT(unlink)(path);
}
