#include <stdlib.h>

#include "sim/disk_priv.h"

void *kl_disk_memory(usize bytes)
{
    void *p = calloc(1, bytes ? bytes : 1);
    KL_ASSERT(p);
    return p;
}

void *kl_disk_more(void *p, usize bytes)
{
    p = realloc(p, bytes);
    KL_ASSERT(p);
    return p;
}

static struct kl_disk_node *add_node(struct kl_disk_tree *tree, bool folder)
{
    tree->node = kl_disk_more(tree->node, (tree->nodes + 1) * sizeof *tree->node);
    struct kl_disk_node *node = &tree->node[tree->nodes++];
    *node = (struct kl_disk_node){.folder = folder};
    return node;
}

void kl_disk_tree_init(struct kl_disk_tree *tree)
{
    *tree = (struct kl_disk_tree){0};
    add_node(tree, true)->names = 1;
}

void kl_disk_tree_done(struct kl_disk_tree *tree)
{
    for (u32 i = 0; i < tree->nodes; i++) {
        free(tree->node[i].bytes);
        free(tree->node[i].entry);
    }
    free(tree->node);
    *tree = (struct kl_disk_tree){0};
}

static void copy_node(struct kl_disk_node *to, const struct kl_disk_node *from)
{
    *to = (struct kl_disk_node){.folder = from->folder, .size = from->size};
    kl_disk_grow(to, from->size);
    if (from->size)
        memcpy(to->bytes, from->bytes, from->size);
    if (from->entries) {
        to->entries = from->entries;
        to->entry = kl_disk_memory(from->entries * sizeof *to->entry);
        memcpy(to->entry, from->entry, from->entries * sizeof *to->entry);
    }
}

void kl_disk_tree_copy(struct kl_disk_tree *out, const struct kl_disk_tree *tree)
{
    out->nodes = tree->nodes;
    out->node = kl_disk_memory(tree->nodes * sizeof *out->node);
    for (u32 i = 0; i < tree->nodes; i++)
        copy_node(&out->node[i], &tree->node[i]);
}

bool kl_disk_find(const struct kl_disk_node *folder, const char *name, usize *index)
{
    usize i = 0;
    while (i < folder->entries && strcmp(folder->entry[i].name, name) < 0)
        i++;
    *index = i;
    return i < folder->entries && strcmp(folder->entry[i].name, name) == 0;
}

static void set_name(struct kl_disk_node *folder, const char *name, u32 node)
{
    usize i;
    if (!kl_disk_find(folder, name, &i)) {
        usize count = folder->entries + 1;
        folder->entry = kl_disk_more(folder->entry, count * sizeof *folder->entry);
        memmove(folder->entry + i + 1, folder->entry + i,
                (folder->entries - i) * sizeof *folder->entry);
        folder->entries = count;
        memset(&folder->entry[i], 0, sizeof folder->entry[i]);
        memcpy(folder->entry[i].name, name, strlen(name));
    }
    folder->entry[i].node = node;
}

static void clear_name(struct kl_disk_node *folder, const char *name)
{
    usize i;
    if (!kl_disk_find(folder, name, &i))
        return;
    folder->entries--;
    memmove(folder->entry + i, folder->entry + i + 1,
            (folder->entries - i) * sizeof *folder->entry);
}

static void rename_entry(struct kl_disk_node *folder, const char *from, const char *to)
{
    usize i;
    if (!kl_disk_find(folder, from, &i) || strcmp(from, to) == 0)
        return;
    u32 node = folder->entry[i].node;
    clear_name(folder, from);
    set_name(folder, to, node);
}

void kl_disk_grow(struct kl_disk_node *file, u64 end)
{
    end = (end + KL_DISK_SECTOR - 1) / KL_DISK_SECTOR * KL_DISK_SECTOR;
    if (end <= file->cap)
        return;
    u64 cap = KL_MAX(end, file->cap + file->cap / 2);
    cap = (cap + KL_DISK_SECTOR - 1) / KL_DISK_SECTOR * KL_DISK_SECTOR;
    file->bytes = kl_disk_more(file->bytes, cap);
    memset(file->bytes + file->cap, 0, cap - file->cap);
    file->cap = cap;
}

static void apply_write(struct kl_disk_node *file, const struct kl_disk_op *op)
{
    kl_disk_grow(file, op->offset + op->len);
    if (op->bytes)
        memcpy(file->bytes + op->offset, op->bytes, op->len);
    else
        memset(file->bytes + op->offset, 0, op->len);
    file->size = KL_MAX(file->size, op->size);
}

void kl_disk_apply_sector(struct kl_disk_node *file, const struct kl_disk_op *op, u64 sector)
{
    u64 at = sector * KL_DISK_SECTOR;
    kl_disk_grow(file, op->offset + op->len);
    if (op->bytes)
        memcpy(file->bytes + op->offset + at, op->bytes + at, KL_DISK_SECTOR);
    else
        memset(file->bytes + op->offset + at, 0, KL_DISK_SECTOR);
}

static void apply_truncate(struct kl_disk_node *file, u64 size)
{
    kl_disk_grow(file, size);
    if (size < file->size)
        memset(file->bytes + size, 0, file->cap - size);
    file->size = size;
}

void kl_disk_apply(struct kl_disk_tree *tree, const struct kl_disk_op *op)
{
    struct kl_disk_node *node = &tree->node[op->node];
    switch (op->change) {
    case KL_DISK_MAKE:
        KL_ASSERT(op->other == tree->nodes);
        (void)add_node(tree, op->folder);
        break;
    case KL_DISK_NAME:
        set_name(node, op->name, op->other);
        break;
    case KL_DISK_UNNAME:
        clear_name(node, op->name);
        break;
    case KL_DISK_RENAME:
        rename_entry(node, op->name, op->to);
        break;
    case KL_DISK_WRITE:
        apply_write(node, op);
        break;
    case KL_DISK_TRUNCATE:
        apply_truncate(node, op->size);
        break;
    case KL_DISK_FLIP:
        if (op->offset < node->size)
            node->bytes[op->offset] ^= (u8)(1u << op->bit);
        break;
    case KL_DISK_SYNC:
    case KL_DISK_LOST:
    case KL_DISK_SYNC_DIR:
        break;
    }
}
