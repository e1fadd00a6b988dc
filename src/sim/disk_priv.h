/* disk_priv: the parts of the simulated disk.
 *
 *   tree   files and folders as they are at one moment
 *   op     one change to a tree; the disk keeps all of them, so that any earlier moment can be made
 *          again, with or without what was not yet durable then
 *
 * disk.c answers the file system interface, disk_tree.c has trees, disk_cut.c power cuts. */
#ifndef KL_SIM_DISK_PRIV_H
#define KL_SIM_DISK_PRIV_H

#include "base/sync.h"
#include "sim/disk.h"

enum { KL_DISK_SECTOR = 512 };

struct kl_disk_entry {
    char name[KL_PATH_MAX + 1];
    u32 node;
};

struct kl_disk_node {
    bool folder, locked; /* locked: of the live tree */
    u32 names, opens;    /* of the live tree; with both 0 the bytes are given back */
    u8 *bytes;           /* of a file; zeros from size to cap */
    u64 size, cap;
    struct kl_disk_entry *entry; /* of a folder, in byte order of the names */
    usize entries;
};

/* Nodes are numbered in the order of their making; 0 is the root folder. */
struct kl_disk_tree {
    struct kl_disk_node *node;
    u32 nodes;
};

typedef enum kl_disk_change {
    KL_DISK_MAKE,     /* `other` is a new file or folder, not named yet */
    KL_DISK_NAME,     /* `name` of folder `node` stands for `other` */
    KL_DISK_UNNAME,   /* `name` of folder `node` stands for nothing */
    KL_DISK_RENAME,   /* `to` stands for what `name` stood for */
    KL_DISK_WRITE,    /* sectors of file `node` */
    KL_DISK_TRUNCATE, /* file `node` gets `size` */
    KL_DISK_SYNC,     /* file `node` */
    KL_DISK_LOST,     /* file `node`: a sync that failed */
    KL_DISK_SYNC_DIR, /* folder `node` */
    KL_DISK_FLIP,     /* `bit` of the byte at `offset`, on the medium itself */
} kl_disk_change;

struct kl_disk_op {
    kl_disk_change change;
    bool folder; /* what MAKE makes */
    u8 bit;
    u32 node, other;
    char *name, *to;
    u64 number;      /* operations up to and including this one */
    u64 offset, len; /* of whole sectors */
    u8 *bytes;       /* NULL: zeros */
    u64 size;        /* the end of what a WRITE was asked to write; the new size of a TRUNCATE */
};

struct kl_sim_disk {
    struct kl_fs fs;
    kl_mutex mutex;
    struct kl_disk_tree base; /* as the disk began; all durable */
    struct kl_disk_tree live; /* as programs see it */
    struct kl_disk_op *op;
    usize ops, op_cap;
    u64 operations;
    u64 settled; /* operations that are in base */
    u64 limit;
    u64 fail_after, read_fail_after; /* operations and reads that still succeed */
    kl_status fail, read_fail;
    u64 fail_seed;
    u32 opens;       /* files open */
    const char *lie; /* see kl_sim_disk_lie */
};

/* Memory, zeroed; ends the process when there is none. */
void *kl_disk_memory(usize bytes);
void *kl_disk_more(void *p, usize bytes);

void kl_disk_tree_init(struct kl_disk_tree *tree);
void kl_disk_tree_done(struct kl_disk_tree *tree);
void kl_disk_tree_copy(struct kl_disk_tree *out, const struct kl_disk_tree *tree);

/* The entry's index, or where it would stand and false. */
bool kl_disk_find(const struct kl_disk_node *folder, const char *name, usize *index);

/* Room for bytes up to end, rounded up to whole sectors. */
void kl_disk_grow(struct kl_disk_node *file, u64 end);

/* Carries op out in full.  Syncs do nothing here. */
void kl_disk_apply(struct kl_disk_tree *tree, const struct kl_disk_op *op);
/* Copies the part of a WRITE that lies in sector index `sector` of it. */
void kl_disk_apply_sector(struct kl_disk_node *file, const struct kl_disk_op *op, u64 sector);

/* A disk that begins with tree, which it takes over. */
KL_MUST_USE kl_status kl_disk_of_tree(struct kl_sim_disk **out, struct kl_disk_tree *tree);

#endif
