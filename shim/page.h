/* What the injectors of file faults share: the control page, what counts, and the form of the record. The page is a file
 * that is mapped here and read and written by the harness (src/engine/files/control.rs has the same layout). */
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Kinds of operations, as in the record. */
enum op {
    OP_CREATE = 'c', OP_TRUNCATE_OPEN = 't', OP_WRITE = 'w', OP_SYNC = 'f', OP_RESIZE = 'T', OP_ALLOCATE = 'a',
    OP_UNLINK = 'u', OP_RENAME = 'r', OP_LINK = 'l', OP_MKDIR = 'd', OP_RMDIR = 'x', OP_LOCK = 'k', OP_MAP = 'm',
};
/* What is counted. */
enum axis { AXIS_NONE, AXIS_OP, AXIS_WRITE, AXIS_SYNC, AXIS_RENAME, AXIS_UNLINK, AXIS_LOCK };
/* What is done at the point. */
enum act { ACT_NONE, ACT_KILL, ACT_TORN, ACT_FULL, ACT_EIO, ACT_SHORT, ACT_BUSY, ACT_HOLD };
enum { RECORD_OPS = 1, RECORD_DATA = 2 };

struct control {
    uint64_t magic;
    uint32_t axis, act;
    uint64_t nth;
    uint32_t forever, recording;
    uint64_t counted;  /* matching operations so far */
    uint64_t log_bytes; /* of the record so far */
    uint32_t fired;
    uint32_t lock;     /* thread that records right now */
    uint32_t attached; /* processes, also those that became another program */
    uint32_t unused;
    char prefix[192];  /* the file whose operations count, relative to the root */
    char root[1024];
    char log[1024];
    char what[256];    /* what was struck */
};
#define MAGIC 0x314d494853484552ull /* "REHSHIM1" */

static struct control unarmed;
static struct control *page = &unarmed;
static size_t root_bytes;

/* Kills the whole group of the tool, as the harness would; each injector in its own way. */
static void die(void);

/* ---- which files are looked at ------------------------------------------------------------------------------------ */

/* The part of `full` below the root, or NULL. What the harness itself keeps there is not the tool's. */
static const char *below_root(const char *full) {
    if (!root_bytes || strncmp(full, page->root, root_bytes) != 0 || full[root_bytes] != '/') return NULL;
    const char *rest = full + root_bytes + 1;
    return strncmp(rest, "logs/", 5) == 0 || strncmp(rest, "shim/", 5) == 0 ? NULL : rest;
}

/* Takes `.`, `..` and doubled slashes out of an absolute path. Links are not followed. */
static int normalise(char *joined, char *out) {
    size_t end = 0;
    for (char *save, *part = strtok_r(joined, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
        if (strcmp(part, ".") == 0) continue;
        if (strcmp(part, "..") == 0) {
            while (end > 0 && out[--end] != '/') {}
            continue;
        }
        size_t length = strlen(part);
        if (end + length + 2 > PATH_MAX) return 0;
        out[end++] = '/';
        memcpy(out + end, part, length);
        end += length;
    }
    out[end] = 0;
    return end > 0;
}

/* Where the link of a descriptor leads, below the root, or NULL. What has no name any more is lost with the process:
 * nothing to record. */
static const char *link_below_root(const char *target) {
    static const char gone[] = " (deleted)";
    size_t length = strlen(target), tail = sizeof gone - 1;
    int is_gone = length > tail && strcmp(target + length - tail, gone) == 0;
    return is_gone ? NULL : below_root(target);
}

/* What is passed through a pipe or a socket is in no file, and may wait for its reader. */
static int holds_content(const struct stat *about) { return S_ISREG(about->st_mode) || S_ISDIR(about->st_mode); }

/* ---- counting and striking ----------------------------------------------------------------------------------------- */

static int on_axis(enum op op, uint32_t axis) {
    switch (axis) {
    case AXIS_OP: return op != OP_LOCK && op != OP_MAP;
    case AXIS_WRITE: return op == OP_WRITE || op == OP_CREATE || op == OP_ALLOCATE || op == OP_RESIZE;
    case AXIS_SYNC: return op == OP_SYNC;
    case AXIS_RENAME: return op == OP_RENAME;
    case AXIS_UNLINK: return op == OP_UNLINK;
    case AXIS_LOCK: return op == OP_LOCK;
    default: return 0;
    }
}

/* Whether what is done to `path` counts: its name begins like that of the file, beside it or in a folder there. */
static int belongs(const char *path) {
    size_t length = strnlen(page->prefix, sizeof page->prefix);
    const char *slash = memrchr(page->prefix, '/', length), *own = strrchr(path, '/');
    size_t folder = slash ? (size_t)(slash - page->prefix) + 1 : 0;
    return strncmp(path, page->prefix, folder) == 0
        && strncmp(own ? own + 1 : path, page->prefix + folder, length - folder) == 0;
}

/* Until the harness takes the act away; if it is gone, for a minute. */
static void wait_for_harness(void) {
    struct timespec pause = {0, 500 * 1000};
    for (int i = 0; i < 120 * 1000 && __atomic_load_n(&page->act, __ATOMIC_SEQ_CST) == ACT_HOLD; i++) nanosleep(&pause, NULL);
}

/* Counts an operation, a write with its bytes, and says what is to be done with it. */
static enum act reach_part(enum op op, const char *path, size_t bytes) {
    if (!page->act || !on_axis(op, page->axis)) return ACT_NONE;
    if (!belongs(path)) return ACT_NONE;
    uint64_t n = __atomic_add_fetch(&page->counted, 1, __ATOMIC_SEQ_CST);
    if (page->forever ? n < page->nth : n != page->nth) return ACT_NONE;
    if (page->act == ACT_SHORT && bytes < 2) return ACT_NONE; /* it has no half: nothing is struck */
    if (!__atomic_exchange_n(&page->fired, 1, __ATOMIC_SEQ_CST)) {
        snprintf(page->what, sizeof page->what, "%c %s", (char)op, path);
    }
    if (page->act == ACT_HOLD) wait_for_harness();
    if (page->act == ACT_KILL || (page->act == ACT_TORN && op != OP_WRITE)) die();
    return (enum act)page->act;
}

/* What the tool is told in place of the operation; 0: nothing. */
static int refusal(enum act act) {
    switch (act) {
    case ACT_FULL: return ENOSPC;
    case ACT_EIO: return EIO;
    case ACT_BUSY: return EAGAIN;
    default: return 0;
    }
}

/* ---- the record ---------------------------------------------------------------------------------------------------- */

/* How an entry of the record is to be read. */
enum { HAS_DATA = 1, HAS_FAILED = 2 };

struct record {
    uint8_t op;
    uint8_t flags;
    uint16_t path_bytes, path2_bytes;
    uint16_t pad2;
    uint64_t offset;
    uint64_t bytes; /* of data, which follows the paths if it was recorded */
};

/* The head of an entry. An operation that failed changed nothing, but it was counted: it is in the record, too. */
static struct record entry(enum op op, int failed, const char *path, const char *path2, uint64_t offset, const void *data, uint64_t bytes) {
    int with_data = data && !failed && (page->recording & RECORD_DATA);
    return (struct record){
        .op = (uint8_t)op, .flags = (uint8_t)((with_data ? HAS_DATA : 0) | (failed ? HAS_FAILED : 0)),
        .path_bytes = (uint16_t)strlen(path), .path2_bytes = (uint16_t)(path2 ? strlen(path2) : 0),
        .offset = offset, .bytes = bytes,
    };
}

/* How many bytes follow the paths. */
static uint64_t data_bytes(const struct record *head) { return head->flags & HAS_DATA ? head->bytes : 0; }
