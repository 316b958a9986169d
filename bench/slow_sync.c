/* A disk that is slow to sync: preloaded into a receiver, it waits BENCH_SYNC_MS milliseconds before each fsync and
   fdatasync. What waits is the calling thread alone, as on a disk that takes many of them at once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

typedef int (*sync_function)(int);

static long ms;

__attribute__((constructor)) static void begin(void)
{
    const char *said = getenv("BENCH_SYNC_MS"); /* now: PHP-FPM clears the environment of its children */
    ms = said ? atol(said) : 0;
}

static int waited(const char *name, sync_function *found, int file)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000L};
    if (!*found)
        *found = (sync_function)dlsym(RTLD_NEXT, name);
    nanosleep(&pause, NULL);
    return (*found)(file);
}

int fsync(int file)
{
    static sync_function found;
    return waited("fsync", &found, file);
}

int fdatasync(int file)
{
    static sync_function found;
    return waited("fdatasync", &found, file);
}
