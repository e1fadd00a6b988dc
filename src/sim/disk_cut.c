/* Power cuts.
 *
 * The disk's changes are carried out again from its beginning, on a tree that holds what is
 * durable; changes that are not durable yet wait in a list for each file and folder.  A sync
 * carries out its file's list.  At the cut, what still waits is dropped or drawn:
 *
 *   names of a folder   the first so many changes have happened
 *   a file's size       the same
 *   a file's sectors    of each write, each sector has or has not happened, in one of the patterns
 *                       of `reached`
 *
 * A failed sync marks its file's writes as lost.  They may still be drawn, but the next good sync
 * of the file forgets them; only sizes live on, because they belong to the file system and not to
 * the pages. */
#include <stdlib.h>

#include "base/rand.h"
#include "sim/disk_priv.h"

/* The changes that wait on one node. */
struct waiting {
    const struct kl_disk_op **op;
    bool *lost;
    usize count, cap;
};

struct replay {
    struct kl_disk_tree tree; /* durable */
    struct waiting *waiting;  /* by node */
};

static void wait_for_sync(struct waiting *w, const struct kl_disk_op *op)
{
    if (w->count == w->cap) {
        w->cap = w->cap ? w->cap * 2 : 8;
        w->op = kl_disk_more(w->op, w->cap * sizeof *w->op);
        w->lost = kl_disk_more(w->lost, w->cap * sizeof *w->lost);
    }
    w->op[w->count] = op;
    w->lost[w->count++] = false;
}

static void sync_node(struct replay *r, u32 node)
{
    struct waiting *w = &r->waiting[node];
    struct kl_disk_node *n = &r->tree.node[node];
    for (usize i = 0; i < w->count; i++) {
        if (!w->lost[i])
            kl_disk_apply(&r->tree, w->op[i]);
        else
            n->size = KL_MAX(n->size, w->op[i]->size);
    }
    kl_disk_grow(n, n->size);
    w->count = 0;
}

static void step(struct replay *r, const struct kl_disk_op *op)
{
    struct waiting *w = &r->waiting[op->node];
    switch (op->change) {
    case KL_DISK_MAKE:
    case KL_DISK_FLIP:
        kl_disk_apply(&r->tree, op);
        break;
    case KL_DISK_NAME:
    case KL_DISK_UNNAME:
    case KL_DISK_RENAME:
    case KL_DISK_WRITE:
    case KL_DISK_TRUNCATE:
        wait_for_sync(w, op);
        break;
    case KL_DISK_SYNC:
    case KL_DISK_SYNC_DIR:
        sync_node(r, op->node);
        break;
    case KL_DISK_LOST:
        for (usize i = 0; i < w->count; i++)
            w->lost[i] |= w->op[i]->change == KL_DISK_WRITE;
        break;
    }
}

typedef enum pattern {
    EACH_BY_COIN,
    IN_ORDER_TORN_ONCE,
    EACH_UP_TO_A_MOMENT,
    PATTERNS,
} pattern;

/* How the sectors of a file's waiting writes are drawn. */
struct draw {
    u64 seed;
    pattern pattern;
    usize whole; /* IN_ORDER_TORN_ONCE: the first so many writes are whole, the next is torn */
    usize count;
};

static u64 hash2(u64 seed, u64 a, u64 b)
{
    seed ^= a * 0xff51afd7ed558ccdu;
    seed = kl_rand(&seed) ^ b;
    return kl_rand(&seed);
}

/* Whether sector (of the file) of write number i reached the medium. */
static bool reached(const struct draw *d, usize i, u64 sector)
{
    switch (d->pattern) {
    case EACH_BY_COIN:
        return hash2(d->seed, i + 1, sector) & 1;
    case IN_ORDER_TORN_ONCE:
        return i < d->whole || (i == d->whole && hash2(d->seed, 0, sector) & 1);
    case EACH_UP_TO_A_MOMENT:
        return i < hash2(d->seed, 0, sector) % (d->count + 1);
    case PATTERNS:
        break;
    }
    KL_UNREACHABLE();
}

static void draw_file(struct replay *r, u32 node, u64 *seed)
{
    struct waiting *w = &r->waiting[node];
    struct kl_disk_node *file = &r->tree.node[node];
    usize sized = kl_rand_below(seed, w->count + 1);
    struct draw d = {.seed = kl_rand(seed), .count = w->count};
    d.pattern = (pattern)kl_rand_below(seed, PATTERNS);
    d.whole = kl_rand_below(seed, w->count + 1);
    for (usize i = 0; i < w->count; i++) {
        const struct kl_disk_op *op = w->op[i];
        if (op->change == KL_DISK_TRUNCATE) {
            if (i < sized)
                kl_disk_apply(&r->tree, op);
            continue;
        }
        if (i < sized)
            file->size = KL_MAX(file->size, op->size);
        for (u64 s = 0; s < op->len / KL_DISK_SECTOR; s++)
            if (reached(&d, i, op->offset / KL_DISK_SECTOR + s))
                kl_disk_apply_sector(file, op, s);
    }
    kl_disk_grow(file, file->size);
    if (file->cap > file->size)
        memset(file->bytes + file->size, 0, file->cap - file->size);
}

static void draw_names(struct replay *r, u32 node, u64 *seed)
{
    const struct waiting *w = &r->waiting[node];
    u64 happened = kl_rand_below(seed, w->count + 1);
    for (usize i = 0; i < happened; i++)
        kl_disk_apply(&r->tree, w->op[i]);
}

static void draw_all(struct replay *r, u64 seed)
{
    for (u32 i = 0; i < r->tree.nodes; i++) {
        u64 s = hash2(seed, i, 0);
        if (r->waiting[i].count == 0)
            continue;
        if (r->tree.node[i].folder)
            draw_names(r, i, &s);
        else
            draw_file(r, i, &s);
    }
}

/* Counts each node's names, and gives back the bytes of files without one. */
static void count_names(struct kl_disk_tree *tree)
{
    tree->node[0].names = 1;
    for (u32 i = 0; i < tree->nodes; i++) {
        const struct kl_disk_node *folder = &tree->node[i];
        for (usize n = 0; folder->names && n < folder->entries; n++)
            tree->node[folder->entry[n].node].names++;
    }
    for (u32 i = 0; i < tree->nodes; i++) {
        struct kl_disk_node *node = &tree->node[i];
        if (node->names == 0) {
            free(node->bytes);
            node->bytes = NULL;
            node->size = node->cap = 0;
        }
    }
}

/* Of what is in base by now, the operations that still wait for a sync, and the failed syncs that
 * may concern them. */
static void keep_waiting(struct kl_sim_disk *disk, const struct replay *r, usize folded)
{
    bool *keep = kl_disk_memory(folded * sizeof *keep);
    usize kept = 0;
    for (u32 n = 0; n < r->tree.nodes; n++)
        for (usize i = 0; i < r->waiting[n].count; i++)
            keep[r->waiting[n].op[i] - disk->op] = true;
    for (usize i = 0; i < disk->ops; i++) {
        struct kl_disk_op *op = &disk->op[i];
        bool may_lose = i < folded && op->change == KL_DISK_LOST && r->waiting[op->node].count;
        if (i >= folded || keep[i] || may_lose) {
            disk->op[kept++] = *op;
            continue;
        }
        free(op->name);
        free(op->to);
        free(op->bytes);
    }
    disk->ops = kept;
    free(keep);
}

/* Gives back the bytes of files that no cut can name any more. */
static void drop_nameless(struct kl_sim_disk *disk)
{
    struct kl_disk_tree *tree = &disk->base;
    for (u32 i = 0; i < tree->nodes; i++)
        tree->node[i].names = 0;
    for (u32 i = 0; i < tree->nodes; i++)
        for (usize n = 0; n < tree->node[i].entries; n++)
            tree->node[tree->node[i].entry[n].node].names++;
    for (usize i = 0; i < disk->ops; i++)
        if (disk->op[i].change == KL_DISK_NAME && disk->op[i].other < tree->nodes)
            tree->node[disk->op[i].other].names++;
    for (u32 i = 0; i < tree->nodes; i++) {
        struct kl_disk_node *node = &tree->node[i];
        const struct kl_disk_node *live = &disk->live.node[i];
        if (node->names || live->names || live->opens)
            continue;
        free(node->bytes);
        node->bytes = NULL;
        node->size = node->cap = 0;
    }
}

void kl_sim_disk_settle(struct kl_sim_disk *disk, u64 operations)
{
    kl_lock(&disk->mutex);
    struct replay r = {.tree = disk->base};
    r.waiting = kl_disk_memory(disk->live.nodes * sizeof *r.waiting);
    usize folded = 0;
    while (folded < disk->ops && disk->op[folded].number <= operations)
        step(&r, &disk->op[folded++]);
    disk->base = r.tree;
    disk->settled = KL_MAX(disk->settled, KL_MIN(operations, disk->operations));
    keep_waiting(disk, &r, folded);
    drop_nameless(disk);
    for (u32 i = 0; i < disk->live.nodes; i++) {
        free(r.waiting[i].op);
        free(r.waiting[i].lost);
    }
    free(r.waiting);
    kl_unlock(&disk->mutex);
}

kl_status kl_sim_disk_cut(struct kl_sim_disk *disk, u64 operations, kl_power_cut how, u64 seed,
                          struct kl_sim_disk **out)
{
    struct replay r = {0};
    kl_lock(&disk->mutex);
    KL_ASSERT(operations >= disk->settled);
    kl_disk_tree_copy(&r.tree, &disk->base);
    r.waiting = kl_disk_memory(disk->live.nodes * sizeof *r.waiting);
    for (usize i = 0; i < disk->ops && disk->op[i].number <= operations; i++) {
        if (how == KL_CUT_KEEP)
            kl_disk_apply(&r.tree, &disk->op[i]);
        else
            step(&r, &disk->op[i]);
    }
    if (how == KL_CUT_RANDOM)
        draw_all(&r, seed);
    for (u32 i = 0; i < disk->live.nodes; i++) {
        free(r.waiting[i].op);
        free(r.waiting[i].lost);
    }
    kl_unlock(&disk->mutex);
    free(r.waiting);
    count_names(&r.tree);
    return kl_disk_of_tree(out, &r.tree);
}
