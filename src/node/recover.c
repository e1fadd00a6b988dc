/* A node that has no room: the chain is stopped, as by a full disk, while there is still enough for
 * what is being written; reads go on; and once there is room again the chain is closed and opened
 * in the process, as by a restart.  Nothing that was in memory when a write failed is believed:
 * what is there is read from the files.  A disk that failed in any other way, a sync too, waits for
 * a person. */
#include <stdio.h>
#include <stdlib.h>

#include "node/node_priv.h"
#include "sys/env.h"

static u64 now_ns(void)
{
    return kl_mono_ns(kl_sys_clock());
}

static void set_reason(struct kl_node *node, bool is_low)
{
    kl_lock(&node->rpc_mutex);
    node->told_room = is_low;
    kl_room_text(&node->room, node->room_text);
    kl_unlock(&node->rpc_mutex);
}

void kl_node_room_places(struct kl_node *node)
{
    kl_room_clear(&node->room);
    if (!node->config.dir)
        return;
    kl_room_add(&node->room, &(kl_room_place){.fs = node->folder.fs,
                                              .name = "the data folder",
                                              .needs = KL_ROOM_DATA_BYTES});
    if (node->key_fs)
        kl_room_add(&node->room, &(kl_room_place){.fs = node->key_fs,
                                                  .name = "the key's folder",
                                                  .needs = KL_ROOM_KEY_BYTES,
                                                  .follows = true});
}

static void say(struct kl_node *node)
{
    char line[KL_ROOM_TEXT_MAX + 20], text[KL_ROOM_TEXT_MAX];
    kl_room_text(&node->room, text);
    snprintf(line, sizeof line, "%s: %s", node->room.low ? "Little room" : "Room again", text);
    if (node->log)
        kl_node_log_line(node->log, line);
}

static void halt(struct kl_node *node)
{
    set_reason(node, true);
    say(node);
    if (node->member)
        kl_member_halt(node->member);
    else
        kl_host_halt(node->host);
}

bool kl_node_room_look(struct kl_node *node)
{
    switch (kl_room_look(&node->room, now_ns())) {
    case KL_ROOM_SAME:
        break;
    case KL_ROOM_LOW:
        halt(node);
        break;
    case KL_ROOM_AGAIN:
        return true;
    }
    if (node->room.low)
        set_reason(node, true); /* its numbers change */
    return false;
}

void kl_node_room_meet_end(struct kl_node *node)
{
    if (node->room.low)
        return; /* it was stopped; or it has met the end behind that */
    kl_room_meet_end(&node->room, now_ns());
    if (node->room.low) {
        set_reason(node, true);
        say(node);
    }
}

void kl_node_room_forget(struct kl_node *node)
{
    kl_room_init(&node->room, node->config.min_free);
    set_reason(node, false);
}

void kl_node_room_gone(struct kl_node *node)
{
    kl_lock(&node->rpc_mutex);
    node->told_room = true;
    snprintf(node->room_text, sizeof node->room_text,
             "the disk was full again while the chain was being opened: it is tried again each "
             "second, and goes on where it was once there is room");
    kl_unlock(&node->rpc_mutex);
}

void kl_node_room_reason(struct kl_node *node, char out[KL_ROOM_TEXT_MAX])
{
    kl_lock(&node->rpc_mutex);
    memcpy(out, node->room_text, KL_ROOM_TEXT_MAX);
    if (!node->told_room)
        out[0] = '\0';
    kl_unlock(&node->rpc_mutex);
}

void kl_node_room_tell(struct kl_node *node)
{
    set_reason(node, false);
    say(node);
}

/* --- transactions --- */

static void keep_one(void *ctx, const kl_pool_tx *tx, KL_UNUSED bool pending)
{
    struct kl_node_kept *kept = ctx;
    if (!tx->local)
        return;
    if (kept->count == kept->cap) {
        usize cap = KL_MAX(2 * kept->cap, (usize)64);
        const kl_pool_tx **list = realloc((void *)kept->list, cap * sizeof *list);
        if (!list)
            return; /* the file has it, unless that has failed too */
        kept->list = list;
        kept->cap = cap;
    }
    kept->list[kept->count++] = kl_pool_tx_ref(tx);
}

static void keep_all(void *ctx, struct kl_pool *pool)
{
    kl_status status = kl_pool_each(pool, keep_one, ctx);
    (void)status; /* no memory: the file has them */
}

void kl_node_keep(struct kl_node *node, struct kl_node_kept *out)
{
    *out = (struct kl_node_kept){0};
    if (node->member)
        kl_member_with_pool(node->member, keep_all, out);
    else
        kl_host_with_pool(node->host, keep_all, out);
}

static void submit(struct kl_node *node, const kl_tx *tx)
{
    static const kl_host_submission how = {.wait = KL_HOST_WAIT_NOT};
    kl_rule broken; /* it is here already, or in a block */
    kl_status status = node->member ? kl_member_submit(node->member, tx, true, 0, &broken)
                                    : kl_host_submit(node->host, tx, &how, &broken);
    (void)status;
}

void kl_node_give_back(struct kl_node *node, struct kl_node_kept *kept)
{
    for (usize i = 0; i < kept->count; i++) {
        if (node->member || node->host)
            submit(node, &kept->list[i]->tx);
        kl_pool_tx_unref(kept->list[i]);
    }
    free((void *)kept->list);
}
