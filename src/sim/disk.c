/* The file system interface over the live tree.  Every change becomes an op, is carried out on the
 * live tree, and is kept. */
#include <stdlib.h>

#include "base/rand.h"
#include "sim/disk_priv.h"

struct sim_file {
    struct kl_file file;
    struct kl_sim_disk *disk;
    u32 node;
    bool writable, holds_lock;
    char path[KL_PATH_MAX + 1];
};

static struct kl_sim_disk *disk_of(struct kl_fs *fs)
{
    return (struct kl_sim_disk *)fs;
}

static void unlock_disk(struct kl_sim_disk **disk)
{
    kl_unlock(&(*disk)->mutex);
}

/* Holds the disk's mutex until the end of the scope. */
#define HOLD(disk)                                                          \
    KL_CLEANUP(unlock_disk) KL_UNUSED struct kl_sim_disk *kl_held = (disk); \
    kl_lock(&kl_held->mutex)

/* KL_OK when the next operation may succeed. */
static kl_status admit(struct kl_sim_disk *disk)
{
    if (disk->fail == KL_OK)
        return KL_OK;
    if (disk->fail_after > 0) {
        disk->fail_after--;
        return KL_OK;
    }
    return disk->fail;
}

static kl_status admit_read(struct kl_sim_disk *disk)
{
    if (disk->read_fail == KL_OK)
        return KL_OK;
    if (disk->read_fail_after > 0) {
        disk->read_fail_after--;
        return KL_OK;
    }
    return disk->read_fail;
}

/* Carries op out and keeps it. */
static void record(struct kl_sim_disk *disk, struct kl_disk_op op)
{
    if (disk->ops == disk->op_cap) {
        disk->op_cap = disk->op_cap ? disk->op_cap * 2 : 64;
        disk->op = kl_disk_more(disk->op, disk->op_cap * sizeof *disk->op);
    }
    bool counts = op.change != KL_DISK_FLIP && op.change != KL_DISK_MAKE;
    op.number = disk->operations + (op.change != KL_DISK_FLIP);
    disk->operations += counts;
    kl_disk_apply(&disk->live, &op);
    disk->op[disk->ops++] = op;
}

static char *copy_text(const char *text)
{
    char *copy = kl_disk_memory(strlen(text) + 1);
    memcpy(copy, text, strlen(text));
    return copy;
}

/* Finds the folder that path's last part is in, and sets *name to that part. */
static kl_status find_parent(const struct kl_sim_disk *disk, const char *path, u32 *folder,
                             const char **name)
{
    KL_ASSERT(*path && strlen(path) <= KL_PATH_MAX);
    u32 at = 0;
    for (;;) {
        usize len = strcspn(path, "/");
        KL_ASSERT(len > 0 && !(len <= 2 && strncmp(path, "..", len) == 0));
        if (path[len] == '\0')
            break;
        char part[KL_PATH_MAX + 1] = {0};
        memcpy(part, path, len);
        usize i;
        const struct kl_disk_node *node = &disk->live.node[at];
        if (!kl_disk_find(node, part, &i))
            return KL_NOTFOUND;
        at = node->entry[i].node;
        if (!disk->live.node[at].folder)
            return KL_IO;
        path += len + 1;
    }
    *folder = at;
    *name = path;
    return KL_OK;
}

static kl_status find(const struct kl_sim_disk *disk, const char *path, u32 *node)
{
    u32 folder;
    const char *name;
    usize i;
    if (*path == '\0') {
        *node = 0;
        return KL_OK;
    }
    KL_TRY(find_parent(disk, path, &folder, &name));
    if (!kl_disk_find(&disk->live.node[folder], name, &i))
        return KL_NOTFOUND;
    *node = disk->live.node[folder].entry[i].node;
    return KL_OK;
}

/* Gives the bytes of a file back that nobody can reach any more. */
static void settle(struct kl_sim_disk *disk, u32 node)
{
    struct kl_disk_node *n = &disk->live.node[node];
    if (n->names || n->opens)
        return;
    free(n->bytes);
    n->bytes = NULL;
    n->size = n->cap = 0;
}

static u64 used(const struct kl_sim_disk *disk)
{
    u64 sum = 0;
    for (u32 i = 0; i < disk->live.nodes; i++)
        sum += disk->live.node[i].size;
    return sum;
}

static struct sim_file *file_of(struct kl_file *file)
{
    return (struct sim_file *)file;
}

static struct kl_disk_node *node_of(const struct sim_file *f)
{
    return &f->disk->live.node[f->node];
}

static kl_status read_file(struct kl_file *file, void *out, usize len, u64 offset)
{
    struct sim_file *f = file_of(file);
    HOLD(f->disk);
    KL_TRY(admit_read(f->disk));
    const struct kl_disk_node *n = node_of(f);
    if (len == 0)
        return KL_OK;
    if (offset > n->size || len > n->size - offset)
        return KL_NOTFOUND;
    memcpy(out, n->bytes + offset, len);
    return KL_OK;
}

static bool all_zero(const u8 *p, usize len)
{
    return p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

/* The sectors that a write touches, as they are after it. */
static void record_write(struct kl_sim_disk *disk, u32 node, const u8 *bytes, usize len, u64 offset)
{
    u64 first = offset / KL_DISK_SECTOR * KL_DISK_SECTOR;
    u64 end = (offset + len + KL_DISK_SECTOR - 1) / KL_DISK_SECTOR * KL_DISK_SECTOR;
    struct kl_disk_node *n = &disk->live.node[node];
    struct kl_disk_op op = {
        .change = KL_DISK_WRITE,
        .node = node,
        .offset = first,
        .len = end - first,
        .size = offset + len,
    };
    kl_disk_grow(n, end);
    if (first != offset || end != offset + len || !all_zero(bytes, len)) {
        op.bytes = kl_disk_memory(op.len);
        memcpy(op.bytes, n->bytes + first, op.len);
        memcpy(op.bytes + (offset - first), bytes, len);
    }
    record(disk, op);
}

static kl_status write_file(struct kl_file *file, const void *bytes, usize len, u64 offset)
{
    struct sim_file *f = file_of(file);
    struct kl_sim_disk *disk = f->disk;
    HOLD(disk);
    if (!f->writable)
        return KL_IO;
    kl_status status = admit(disk);
    u64 end = offset + len;
    if (status != KL_OK) {
        end = offset + kl_rand_below(&disk->fail_seed, len + 1);
    } else if (len > 0) {
        u64 others = used(disk) - node_of(f)->size;
        u64 room = disk->limit > others ? disk->limit - others : 0;
        room = KL_MAX(room, node_of(f)->size);
        if (end > room) {
            status = KL_FULL;
            end = room;
        }
    }
    if (status != KL_OK)
        end = end / KL_DISK_SECTOR * KL_DISK_SECTOR;
    if (end > offset)
        record_write(disk, f->node, bytes, end - offset, offset);
    return status;
}

static kl_status sync_file(struct kl_file *file)
{
    struct sim_file *f = file_of(file);
    HOLD(f->disk);
    if (f->disk->lie && strncmp(f->path, f->disk->lie, strlen(f->disk->lie)) == 0)
        return KL_OK;
    kl_status status = admit(f->disk);
    kl_disk_change change = status == KL_OK ? KL_DISK_SYNC : KL_DISK_LOST;
    record(f->disk, (struct kl_disk_op){.change = change, .node = f->node});
    return status;
}

static kl_status size_of(struct kl_file *file, u64 *out)
{
    struct sim_file *f = file_of(file);
    HOLD(f->disk);
    KL_TRY(admit_read(f->disk));
    *out = node_of(f)->size;
    return KL_OK;
}

static kl_status truncate_file(struct kl_file *file, u64 size)
{
    struct sim_file *f = file_of(file);
    HOLD(f->disk);
    if (!f->writable)
        return KL_IO;
    KL_TRY(admit(f->disk));
    u64 now = node_of(f)->size;
    if (size > now && size - now > f->disk->limit - KL_MIN(f->disk->limit, used(f->disk)))
        return KL_FULL;
    record(f->disk, (struct kl_disk_op){.change = KL_DISK_TRUNCATE, .node = f->node, .size = size});
    return KL_OK;
}

static void close_file(struct kl_file *file)
{
    struct sim_file *f = file_of(file);
    {
        HOLD(f->disk);
        struct kl_disk_node *n = node_of(f);
        n->opens--;
        f->disk->opens--;
        if (f->holds_lock)
            n->locked = false;
        settle(f->disk, f->node);
    }
    free(f);
}

static const struct kl_file_ops file_ops = {
    .read = read_file,
    .write = write_file,
    .sync = sync_file,
    .size = size_of,
    .truncate = truncate_file,
    .close = close_file,
};

/* Makes a file or folder with a name, as one operation. */
static kl_status make_node(struct kl_sim_disk *disk, u32 folder, const char *name, bool is_folder)
{
    KL_TRY(admit(disk));
    u32 node = disk->live.nodes;
    record(disk, (struct kl_disk_op){.change = KL_DISK_MAKE, .folder = is_folder, .other = node});
    record(disk,
           (struct kl_disk_op){
               .change = KL_DISK_NAME, .node = folder, .name = copy_text(name), .other = node});
    disk->live.node[node].names = 1;
    return KL_OK;
}

static struct kl_file *open_node(struct kl_sim_disk *disk, u32 node, const char *path,
                                 bool writable, bool lock)
{
    struct sim_file *f = kl_disk_memory(sizeof *f);
    *f = (struct sim_file){
        .file.ops = &file_ops,
        .disk = disk,
        .node = node,
        .writable = writable,
        .holds_lock = lock,
    };
    memcpy(f->path, path, strlen(path));
    disk->live.node[node].opens++;
    disk->live.node[node].locked |= lock;
    disk->opens++;
    return &f->file;
}

static kl_status open_file(struct kl_fs *fs, struct kl_file **out, const char *path, kl_open how)
{
    struct kl_sim_disk *disk = disk_of(fs);
    HOLD(disk);
    u32 folder, node;
    const char *name;
    usize i;
    KL_TRY(find_parent(disk, path, &folder, &name));
    bool there = kl_disk_find(&disk->live.node[folder], name, &i);
    if (how == KL_OPEN_CREATE) {
        if (there)
            return KL_BUSY;
        node = disk->live.nodes;
        KL_TRY(make_node(disk, folder, name, false));
    } else {
        if (!there)
            return KL_NOTFOUND;
        KL_TRY(admit_read(disk));
        node = disk->live.node[folder].entry[i].node;
        if (disk->live.node[node].folder)
            return KL_IO;
    }
    *out = open_node(disk, node, path, how != KL_OPEN_READ, false);
    return KL_OK;
}

static kl_status lock_file(struct kl_fs *fs, struct kl_file **out, const char *path)
{
    struct kl_sim_disk *disk = disk_of(fs);
    HOLD(disk);
    u32 folder, node = disk->live.nodes;
    const char *name;
    usize i;
    KL_TRY(find_parent(disk, path, &folder, &name));
    if (kl_disk_find(&disk->live.node[folder], name, &i))
        node = disk->live.node[folder].entry[i].node;
    else
        KL_TRY(make_node(disk, folder, name, false));
    if (disk->live.node[node].folder)
        return KL_IO;
    if (disk->live.node[node].locked)
        return KL_BUSY;
    *out = open_node(disk, node, path, true, true);
    return KL_OK;
}

static kl_status rename_file(struct kl_fs *fs, const char *from, const char *to)
{
    struct kl_sim_disk *disk = disk_of(fs);
    HOLD(disk);
    u32 folder, to_folder;
    const char *name, *to_name;
    usize i, j;
    KL_TRY(find_parent(disk, from, &folder, &name));
    KL_TRY(find_parent(disk, to, &to_folder, &to_name));
    KL_ASSERT(folder == to_folder);
    const struct kl_disk_node *n = &disk->live.node[folder];
    if (!kl_disk_find(n, name, &i))
        return KL_NOTFOUND;
    bool is_folder = disk->live.node[n->entry[i].node].folder;
    KL_TRY(admit(disk));
    bool replaces = kl_disk_find(n, to_name, &j) && i != j;
    u32 replaced = replaces ? n->entry[j].node : 0;
    if (replaces &&
        (disk->live.node[replaced].folder != is_folder || disk->live.node[replaced].entries > 0))
        return KL_IO;
    record(disk, (struct kl_disk_op){.change = KL_DISK_RENAME,
                                     .node = folder,
                                     .name = copy_text(name),
                                     .to = copy_text(to_name)});
    if (replaces) {
        disk->live.node[replaced].names--;
        settle(disk, replaced);
    }
    return KL_OK;
}

static kl_status unlink_file(struct kl_fs *fs, const char *path)
{
    struct kl_sim_disk *disk = disk_of(fs);
    HOLD(disk);
    u32 folder;
    const char *name;
    usize i;
    KL_TRY(find_parent(disk, path, &folder, &name));
    if (!kl_disk_find(&disk->live.node[folder], name, &i))
        return KL_NOTFOUND;
    u32 node = disk->live.node[folder].entry[i].node;
    if (disk->live.node[node].folder)
        return KL_IO;
    KL_TRY(admit(disk));
    record(disk,
           (struct kl_disk_op){.change = KL_DISK_UNNAME, .node = folder, .name = copy_text(name)});
    disk->live.node[node].names--;
    settle(disk, node);
    return KL_OK;
}

static kl_status make_dir(struct kl_fs *fs, const char *path)
{
    struct kl_sim_disk *disk = disk_of(fs);
    HOLD(disk);
    u32 folder;
    const char *name;
    usize i;
    KL_TRY(find_parent(disk, path, &folder, &name));
    const struct kl_disk_node *n = &disk->live.node[folder];
    if (kl_disk_find(n, name, &i))
        return disk->live.node[n->entry[i].node].folder ? KL_OK : KL_IO;
    return make_node(disk, folder, name, true);
}

static kl_status sync_dir(struct kl_fs *fs, const char *path)
{
    struct kl_sim_disk *disk = disk_of(fs);
    HOLD(disk);
    u32 node;
    KL_TRY(find(disk, path, &node));
    if (!disk->live.node[node].folder)
        return KL_IO;
    KL_TRY(admit(disk));
    record(disk, (struct kl_disk_op){.change = KL_DISK_SYNC_DIR, .node = node});
    return KL_OK;
}

static kl_status list_dir(struct kl_fs *fs, const char *path,
                          void (*each)(void *ctx, const char *name), void *ctx)
{
    struct kl_sim_disk *disk = disk_of(fs);
    struct kl_disk_entry *entry;
    usize entries;
    {
        HOLD(disk);
        u32 node;
        KL_TRY(find(disk, path, &node));
        if (!disk->live.node[node].folder)
            return KL_IO;
        KL_TRY(admit_read(disk));
        entries = disk->live.node[node].entries;
        entry = kl_disk_memory(entries * sizeof *entry);
        if (entries)
            memcpy(entry, disk->live.node[node].entry, entries * sizeof *entry);
    }
    for (usize i = 0; i < entries; i++)
        each(ctx, entry[i].name);
    free(entry);
    return KL_OK;
}

static kl_status room_of(struct kl_fs *fs, kl_fs_room *out)
{
    struct kl_sim_disk *disk = disk_of(fs);
    HOLD(disk);
    u64 taken = used(disk);
    *out =
        (kl_fs_room){.free = disk->limit > taken ? disk->limit - taken : 0, .total = disk->limit};
    return KL_OK;
}

static const struct kl_fs_ops fs_ops = {
    .open = open_file,
    .rename = rename_file,
    .unlink = unlink_file,
    .make_dir = make_dir,
    .sync_dir = sync_dir,
    .list = list_dir,
    .lock = lock_file,
    .room = room_of,
};

kl_status kl_disk_of_tree(struct kl_sim_disk **out, struct kl_disk_tree *tree)
{
    struct kl_sim_disk *disk = calloc(1, sizeof *disk);
    if (!disk) {
        kl_disk_tree_done(tree);
        return KL_NOMEM;
    }
    disk->fs.ops = &fs_ops;
    disk->limit = UINT64_MAX;
    kl_mutex_init(&disk->mutex);
    kl_disk_tree_copy(&disk->base, tree);
    disk->live = *tree;
    *out = disk;
    return KL_OK;
}

kl_status kl_sim_disk_new(struct kl_sim_disk **out)
{
    struct kl_disk_tree tree;
    kl_disk_tree_init(&tree);
    return kl_disk_of_tree(out, &tree);
}

void kl_sim_disk_free(struct kl_sim_disk *disk)
{
    if (!disk)
        return;
    KL_ASSERT(disk->opens == 0);
    for (usize i = 0; i < disk->ops; i++) {
        free(disk->op[i].name);
        free(disk->op[i].to);
        free(disk->op[i].bytes);
    }
    free(disk->op);
    kl_disk_tree_done(&disk->base);
    kl_disk_tree_done(&disk->live);
    kl_mutex_done(&disk->mutex);
    free(disk);
}

struct kl_fs *kl_sim_disk_fs(struct kl_sim_disk *disk)
{
    return &disk->fs;
}

u64 kl_sim_disk_operations(struct kl_sim_disk *disk)
{
    HOLD(disk);
    return disk->operations;
}

void kl_sim_disk_fail(struct kl_sim_disk *disk, u64 n, kl_status status, u64 seed)
{
    HOLD(disk);
    disk->fail_after = n;
    disk->fail = status;
    disk->fail_seed = seed;
}

void kl_sim_disk_fail_reads(struct kl_sim_disk *disk, u64 n, kl_status status)
{
    HOLD(disk);
    disk->read_fail_after = n;
    disk->read_fail = status;
}

void kl_sim_disk_limit(struct kl_sim_disk *disk, u64 bytes)
{
    HOLD(disk);
    disk->limit = bytes;
}

void kl_sim_disk_lie(struct kl_sim_disk *disk, const char *prefix)
{
    HOLD(disk);
    disk->lie = prefix;
}

kl_status kl_sim_disk_flip(struct kl_sim_disk *disk, const char *path, u64 offset, unsigned bit)
{
    HOLD(disk);
    u32 node;
    KL_TRY(find(disk, path, &node));
    if (offset >= disk->live.node[node].size)
        return KL_NOTFOUND;
    KL_ASSERT(bit < 8);
    record(disk, (struct kl_disk_op){
                     .change = KL_DISK_FLIP, .node = node, .offset = offset, .bit = (u8)bit});
    return KL_OK;
}
