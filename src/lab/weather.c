/* What goes wrong, and when; until it is calm. */
#include "lab/oracle_priv.h"
#include "lab/world_priv.h"

static void start_in(struct kl_lab_machine *machine, u64 most_ns)
{
    struct kl_lab *lab = machine->lab;
    const kl_lab_event event = {.kind = KL_LAB_STARTS, .machine = machine->index};
    kl_lab_post(lab, &event, lab->now_ns + 20 * KL_MS + kl_lab_below(lab, most_ns));
}

static bool may_be_harmed(const struct kl_lab_machine *machine)
{
    return machine->validator == KL_BFT_NOBODY || machine->lab->plan.victim[machine->validator];
}

/* Somebody turns a bit of a file below the folder. */
struct flip {
    struct kl_sim_disk *disk;
    u64 *dice;
    const char *folder;
    char path[KL_PATH_MAX + 1];
    u32 seen;
};

static void pick_file(void *ctx, const char *name)
{
    struct flip *flip = ctx;
    usize folder = strlen(flip->folder), len = strlen(name);
    if (len < 4 || strcmp(name + len - 4, ".seg") != 0 || folder + len + 2 > sizeof flip->path)
        return;
    if (kl_rand_below(flip->dice, ++flip->seen) != 0)
        return;
    memcpy(flip->path, flip->folder, folder);
    flip->path[folder] = '/';
    memcpy(flip->path + folder + 1, name, len + 1);
}

static void flip_bit(struct kl_lab_machine *machine)
{
    struct kl_lab *lab = machine->lab;
    struct flip flip = {.disk = machine->data,
                        .dice = &lab->dice,
                        .folder = kl_lab_percent(lab, 50) ? "consensus" : "ledger"};
    struct kl_fs *fs = kl_sim_disk_fs(machine->data);
    if (kl_fs_list(fs, flip.folder, pick_file, &flip) != KL_OK || !flip.seen)
        return;
    u64 at = kl_lab_below(lab, kl_lab_percent(lab, 70) ? 8192 : 65536);
    if (kl_sim_disk_flip(machine->data, flip.path, at, (unsigned)kl_lab_below(lab, 8)) != KL_OK)
        return;
    machine->harmed = true;
    kl_lab_tell(machine, "has a bit turned at offset #", at, 0, 0);
}

static void harm(struct kl_lab_machine *machine)
{
    struct kl_lab *lab = machine->lab;
    if (!may_be_harmed(machine))
        return;
    if (kl_lab_has(lab, KL_LAB_WIPE) && kl_lab_percent(lab, 20))
        kl_lab_wipe(machine);
    else if (kl_lab_has(lab, KL_LAB_BACKUP) && machine->backup[0] && kl_lab_percent(lab, 30))
        kl_lab_restore(machine,
                       machine->key ? (kl_lab_copy)kl_lab_below(lab, 3) : KL_LAB_COPY_DATA);
    else if (kl_lab_has(lab, KL_LAB_BITFLIP) && kl_lab_percent(lab, 30))
        flip_bit(machine);
}

static void crash(struct kl_lab_machine *machine)
{
    struct kl_lab *lab = machine->lab;
    bool save = kl_lab_has(lab, KL_LAB_BACKUP) && may_be_harmed(machine);
    kl_lab_crash(machine, kl_lab_percent(lab, 30) ? KL_LAB_KILLED : KL_LAB_POWER_CUT);
    harm(machine);
    if (save && kl_lab_percent(lab, 40))
        kl_lab_save(machine);
    start_in(machine, kl_lab_percent(lab, 70) ? KL_S : 20 * KL_S);
}

static void crash_some(struct kl_lab *lab)
{
    bool all = kl_lab_percent(lab, 4);
    u32 percent = lab->count > 10 ? 3 : 8, down = 0;
    for (u32 i = 0; i < lab->count; i++) {
        struct kl_lab_machine *machine = lab->machines[i];
        if (kl_lab_is_up(machine) && (all || kl_lab_percent(lab, percent)))
            crash(machine);
        down += !kl_lab_is_up(machine);
    }
    if (down == lab->count)
        kl_lab_saw(lab, KL_LAB_SAW_ALL_DOWN);
}

/* Those of one key stand on different sides: where they are many they fork the chain by that. */
static u64 part_twins(const struct kl_lab *lab, u64 side)
{
    for (u32 b = 0; b < lab->count; b++)
        for (u32 a = 0; a < b; a++)
            if (lab->machines[a]->validator == lab->machines[b]->validator &&
                lab->machines[a]->validator != KL_BFT_NOBODY)
                side = (side & ~(1ull << b)) | (~side >> a & 1) << b;
    return side;
}

static void cut_some(struct kl_lab *lab)
{
    bool open = kl_lab_percent(lab, 55), one_way = kl_lab_percent(lab, 40);
    u64 side = kl_rand(&lab->dice);
    if (lab->plan.too_many)
        side = part_twins(lab, side);
    for (u32 a = 0; a < lab->count; a++)
        for (u32 b = 0; b < lab->count; b++)
            lab->machines[a]->cut[b] =
                !open && (side >> a & 1) != (side >> b & 1) && (!one_way || (side >> a & 1));
    kl_lab_relink(lab);
}

static void clog_some(struct kl_lab *lab)
{
    u32 links = 1 + lab->count / 3;
    for (u32 i = 0; i < links; i++) {
        struct kl_lab_machine *machine = lab->machines[kl_lab_below(lab, lab->count)];
        u64 until_ns = lab->now_ns + kl_lab_below(lab, 5 * KL_S);
        machine->clog_ns[kl_lab_below(lab, lab->count)] = until_ns;
    }
}

static void skew_some(struct kl_lab *lab)
{
    struct kl_lab_machine *machine = lab->machines[kl_lab_below(lab, lab->count)];
    machine->skew_ns = (i64)kl_lab_below(lab, 4 * KL_S) - (i64)(2 * KL_S);
}

static void pause_one(struct kl_lab *lab)
{
    struct kl_lab_machine *machine = lab->machines[kl_lab_below(lab, lab->count)];
    u64 most_s = kl_lab_percent(lab, 80) ? 5 : 60;
    machine->paused_ns = lab->now_ns + KL_S + kl_lab_below(lab, most_s * KL_S);
    kl_lab_tell(machine, "stands still for # ms", (machine->paused_ns - lab->now_ns) / KL_MS, 0, 0);
}

/* A disk fails until somebody mends it, which takes a restart. */
static void fail_disk(struct kl_lab *lab)
{
    struct kl_lab_machine *machine = lab->machines[kl_lab_below(lab, lab->count)];
    if (!kl_lab_is_up(machine) || machine->broken)
        return;
    struct kl_sim_disk *disk =
        machine->key && kl_lab_percent(lab, 30) ? machine->key : machine->data;
    kl_status status = kl_lab_percent(lab, 50) ? KL_IO : KL_FULL;
    u64 operations = kl_lab_below(lab, 40);
    kl_sim_disk_fail(disk, operations, status, kl_rand(&lab->dice));
    machine->broken = true;
    kl_lab_tell(machine, "has a disk that fails", 0, 0, 0);
    kl_lab_saw(lab, KL_LAB_SAW_DISK_FAILED);
}

/* And a node that thinks that somebody else has its key is told that nobody has. */
static void mend(struct kl_lab *lab)
{
    for (u32 i = 0; i < lab->count; i++) {
        struct kl_lab_machine *machine = lab->machines[i];
        bool ails = machine->broken || machine->barred;
        if (!kl_lab_is_up(machine) || !ails || !(lab->calm || kl_lab_percent(lab, 30)))
            continue;
        kl_lab_crash(machine, KL_LAB_POWER_CUT);
        start_in(machine, KL_S);
    }
}

static bool happens(struct kl_lab *lab, kl_lab_fault fault, u32 percent)
{
    return kl_lab_has(lab, fault) && kl_lab_percent(lab, percent);
}

void kl_lab_weather(struct kl_lab *lab)
{
    if (!lab->calm) {
        if (kl_lab_has(lab, KL_LAB_CRASH))
            crash_some(lab);
        if (happens(lab, KL_LAB_PARTITION, 40))
            cut_some(lab);
        if (happens(lab, KL_LAB_CLOG, 30))
            clog_some(lab);
        if (happens(lab, KL_LAB_SKEW, 30))
            skew_some(lab);
        if (happens(lab, KL_LAB_PAUSE, 10))
            pause_one(lab);
        if (happens(lab, KL_LAB_DISK_ERROR, 10))
            fail_disk(lab);
    }
    mend(lab);
    kl_lab_oracle_look(lab);
    const kl_lab_event event = {.kind = KL_LAB_WEATHER};
    kl_lab_post(lab, &event, lab->now_ns + 200 * KL_MS + kl_lab_below(lab, 1300 * KL_MS));
}

/* Honest validators that are not of the core: what F leaves beside the Byzantine ones, or nobody.
 */
static void abandon_some(struct kl_lab *lab)
{
    if (!kl_lab_percent(lab, 40))
        return;
    for (u32 i = 0; i < lab->count; i++) {
        struct kl_lab_machine *machine = lab->machines[i];
        if (!kl_lab_is_honest(machine) || !may_be_harmed(machine) || kl_lab_percent(lab, 30))
            continue;
        machine->abandoned = true;
        if (kl_lab_is_up(machine))
            kl_lab_crash(machine, KL_LAB_POWER_CUT);
    }
}

void kl_lab_calm_down(struct kl_lab *lab)
{
    lab->calm = true;
    lab->calm_ns = lab->now_ns;
    abandon_some(lab);
    for (u32 i = 0; i < lab->count; i++) {
        struct kl_lab_machine *machine = lab->machines[i];
        memset(machine->cut, 0, sizeof machine->cut);
        memset(machine->clog_ns, 0, sizeof machine->clog_ns);
        machine->paused_ns = 0;
        machine->skew_ns = 0;
        if (!kl_lab_is_up(machine) && !machine->abandoned)
            start_in(machine, KL_S);
    }
    mend(lab);
    kl_lab_relink(lab);
}
