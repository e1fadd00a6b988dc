/* verify: the ledger executed again from its beginning, or the state database looked through, on a
 * folder that nobody uses.  The fresh state lies in a database whose files lose their names as soon
 * as it is open, so that nothing stays behind however the command ends. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/option.h"
#include "cli/verify_report.h"
#include "lmdb/lmdb.h"
#include "node/folder.h"
#include "sys/crash.h"
#include "sys/env.h"
#include "sys/fs.h"
#include "sys/scratch.h"

/* Of address space; a sanitizer needs most of it for itself. */
#define MAP_BYTES   (UINT64_C(1) << (KL_SANITIZED ? 34 : 40))
#define TELL_NS     UINT64_C(200000000) /* between two lines of progress on a terminal */
#define TELL_FAR_NS UINT64_C(10000000000)
#define NS_PER_S    1e9
#define DEV_FOLDER  "./.keel"

struct verify {
    const char *dir, *scratch;
    bool json, silent, state;
};

struct told {
    struct kl_progress progress;
    bool terminal, silent;
    u64 begun_ns, last_ns;
};

static void tell_line(const struct told *t, const char *line)
{
    if (t->terminal)
        fprintf(stderr, "\r\033[K%s", line);
    else
        fprintf(stderr, "%s\n", line);
    fflush(stderr);
}

static void step(struct kl_progress *progress, u64 at, u64 last)
{
    struct told *t = (struct told *)progress;
    u64 now_ns = kl_mono_ns(kl_sys_clock());
    char line[160];
    if (t->silent || now_ns - t->last_ns < (t->terminal ? TELL_NS : TELL_FAR_NS))
        return;
    t->last_ns = now_ns;
    double took_s = (double)(now_ns - t->begun_ns) / NS_PER_S;
    if (last)
        snprintf(line, sizeof line, "record %llu of %llu (%.0f %%), %.0f s to go",
                 (unsigned long long)at, (unsigned long long)last, 100 * (double)at / (double)last,
                 took_s * (double)(last - at) / (double)(at + 1));
    else
        snprintf(line, sizeof line, "%llu entries", (unsigned long long)at);
    tell_line(t, line);
}

static void begin_progress(struct told *t, const struct verify *v)
{
    u64 now_ns = kl_mono_ns(kl_sys_clock());
    *t = (struct told){
        .progress.step = step,
        .terminal = isatty(STDERR_FILENO) != 0,
        .silent = v->silent,
        .begun_ns = now_ns,
        .last_ns = now_ns,
    };
}

static u64 end_progress(const struct told *t)
{
    if (t->terminal && !t->silent)
        tell_line(t, "");
    return kl_mono_ns(kl_sys_clock()) - t->begun_ns;
}

static kl_status open_lmdb(struct kl_kv **out, const char *path)
{
    const kl_lmdb_config config = {
        .path = path,
        .tables = kl_state_table_names,
        .table_count = KL_TABLE_COUNT,
        .map_bytes = MAP_BYTES,
        .reader_max = 16,
        .clock = kl_sys_clock(),
    };
    return kl_lmdb_open(out, &config);
}

static void forget(const char *folder, const char *name)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", folder, name) < (int)sizeof path)
        (void)unlink(path);
}

/* A database in files that have no names any more. */
static kl_status open_scratch(struct kl_kv **out, const char *parent)
{
    char folder[4096];
    if (snprintf(folder, sizeof folder, "%s/keel-verify-XXXXXX", parent) >= (int)sizeof folder)
        return KL_UNSUPPORTED;
    if (!mkdtemp(folder))
        return kl_sys_status(errno);
    kl_status status = open_lmdb(out, folder);
    forget(folder, "data.mdb");
    forget(folder, "lock.mdb");
    (void)rmdir(folder);
    return status;
}

/* Room for a state: a database and files.  KL_CANCELED when the reason has been told. */
static kl_status open_room(const struct verify *v, struct kl_kv **kv, struct kl_fs **fs)
{
    const char *tmp = getenv("TMPDIR");
    const char *parent = v->scratch ? v->scratch : tmp && *tmp ? tmp : "/tmp";
    if (v->scratch && setenv("TMPDIR", v->scratch, 1) != 0)
        return KL_NOMEM;
    kl_status status = open_scratch(kv, parent);
    if (status == KL_OK)
        status = kl_sys_scratch_open(fs);
    if (status != KL_NOTFOUND && status != KL_DENIED && status != KL_IO)
        return status;
    fprintf(stderr, "keel verify: no files can be made in %s: %s; --scratch names a folder\n",
            parent, kl_status_text(status));
    return KL_CANCELED;
}

static int complain(const struct verify *v, kl_status status)
{
    if (status == KL_CANCELED)
        return KL_EXIT_FAILED;
    if (status == KL_BUSY)
        fprintf(stderr, "keel verify: a keel is running on %s; stop it first\n", v->dir);
    else if (status == KL_NOTFOUND)
        fprintf(stderr, "keel verify: there is no %s in %s; --dir names the chain's folder\n",
                v->state ? "state database" : "ledger", v->dir);
    else if (status == KL_FULL)
        fprintf(stderr,
                "keel verify: no room for a second state; --scratch names a folder that has "
                "some\n");
    else
        fprintf(stderr, "keel verify: %s: %s\n", v->dir, kl_status_text(status));
    return KL_EXIT_FAILED;
}

static kl_status verify_ledger(const struct verify *v, struct kl_fs *fs, bool *good)
{
    struct kl_kv *scratch = NULL;
    struct kl_fs *scratch_fs = NULL;
    struct kl_workers *workers = NULL;
    struct told told;
    kl_verify_result result;
    kl_status status = open_room(v, &scratch, &scratch_fs);
    if (status == KL_OK)
        status = kl_sys_workers_new(&workers, kl_sys_cpu_count());
    if (status == KL_OK) {
        const kl_verify_config config = {fs, scratch, scratch_fs, workers};
        begin_progress(&told, v);
        status = kl_chain_verify(&config, &told.progress, &result);
        u64 took_ns = end_progress(&told);
        if (status == KL_OK && v->json)
            kl_verify_print_json(stdout, &result, took_ns);
        else if (status == KL_OK)
            kl_verify_print(stdout, v->dir, &result, took_ns);
    }
    kl_sys_workers_free(workers);
    kl_sys_scratch_close(scratch_fs);
    kl_kv_close(scratch);
    if (status == KL_OK)
        *good = result.good;
    return status;
}

/* The database that is looked through: damage in its own pages may end the process. */
static const struct kl_kv *watched;

/* Only what signal-safety(7) allows. */
static void last_word(const void *address)
{
    static const char text[] = "keel verify: the fault was met inside the state database: its file "
                               "is damaged.  Remove the\n"
                               "folder state; the next start makes it again from the ledger.\n";
    if (!watched || !kl_lmdb_at_fault(watched, address))
        return;
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(KL_EXIT_FAILED);
}

static kl_status has_state(struct kl_fs *fs)
{
    KL_CLEANUP(kl_file_closep) struct kl_file *file = NULL;
    return kl_fs_open(fs, &file, KL_FOLDER_STATE "/data.mdb", KL_OPEN_READ);
}

static kl_status verify_state(const struct verify *v, struct kl_fs *fs, bool *good)
{
    struct kl_kv *kv;
    struct told told;
    kl_scrub_result result = {.damage.what = "these files are no database"};
    char path[4096];
    KL_TRY(has_state(fs));
    if (snprintf(path, sizeof path, "%s/" KL_FOLDER_STATE, v->dir) >= (int)sizeof path)
        return KL_UNSUPPORTED;
    begin_progress(&told, v);
    kl_status status = open_lmdb(&kv, path);
    if (status == KL_OK) {
        const kl_scrub_config config = {fs, kv};
        watched = kv;
        kl_sys_on_crash(last_word);
        status = kl_chain_scrub(&config, &told.progress, &result);
        watched = NULL;
        kl_kv_close(kv);
    }
    u64 took_ns = end_progress(&told);
    if (status != KL_OK && status != KL_CORRUPT)
        return status;
    if (v->json)
        kl_scrub_print_json(stdout, &result, took_ns);
    else
        kl_scrub_print(stdout, &result, took_ns);
    *good = result.good;
    return KL_OK;
}

static int run(const struct verify *v)
{
    struct kl_folder folder;
    bool good = false;
    kl_status status = kl_folder_open(&folder, v->dir, false);
    if (status == KL_OK) {
        status = v->state ? verify_state(v, folder.fs, &good) : verify_ledger(v, folder.fs, &good);
        kl_folder_close(&folder);
    }
    if (status != KL_OK)
        return complain(v, status);
    return good ? KL_EXIT_OK : KL_EXIT_FAILED;
}

int kl_cmd_verify(int argc, char **argv)
{
    struct verify v = {.dir = DEV_FOLDER};
    const kl_option options[] = {
        {KL_OPTION_TEXT, "--dir", .value = "FOLDER", .help = "the chain's folder (./.keel)",
         .into = &v.dir},
        {KL_OPTION_FLAG, "--state", .help = "look through the state database instead",
         .into = &v.state},
        {KL_OPTION_TEXT, "--scratch", .value = "FOLDER",
         .help = "where there is room for a second state (TMPDIR, or /tmp)", .into = &v.scratch},
        {KL_OPTION_FLAG, "--json", .help = "the result as JSON", .into = &v.json},
        {KL_OPTION_FLAG, "--silent", .help = "no progress", .into = &v.silent},
    };
    static const kl_example examples[] = {
        {"keel verify --dir chain", "Every block executed again"},
        {"keel verify --dir chain --state", "Every entry of the state database, every trie"},
    };
    const kl_usage usage = {
        .command = "verify",
        .arguments = "",
        .help =
            "Executes the whole ledger again, from the genesis or from the oldest checkpoint,\n"
            "into a fresh state, and checks every checksum, hash, signature, root and receipt.\n"
            "The state database is not looked at, and nothing is changed.  Names the first\n"
            "thing that is wrong: block, file, byte and reason; exits with 1 then.  With\n"
            "--state it is the state database that is looked through.",
        .options = options,
        .option_count = KL_COUNT_OF(options),
        .examples = examples,
        .example_count = KL_COUNT_OF(examples),
    };
    int count, code = kl_options_parse(&usage, argc, argv, &count);
    return code >= 0 ? code : run(&v);
}
