#include <stdlib.h>

#include "txpool/pool_priv.h"

enum { ENTRIES_MIN = 4 };

usize kl_sender_find(const struct sender *sender, u64 nonce, bool *found)
{
    usize low = 0, high = sender->count;
    while (low < high) {
        usize middle = (low + high) / 2;
        if (kl_sender_at(sender, middle)->pub.tx.nonce < nonce)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < sender->count && kl_sender_at(sender, low)->pub.tx.nonce == nonce;
    return low;
}

/* Room for one more at the end: by moving down over what was taken from the front, or by growing.
 */
static kl_status make_room(struct sender *sender)
{
    if (sender->first + sender->count < sender->cap)
        return KL_OK;
    if (sender->first > sender->cap / 2) {
        memmove(sender->entries, sender->entries + sender->first,
                sender->count * sizeof(struct entry *));
        sender->first = 0;
        return KL_OK;
    }
    usize cap = KL_MAX(sender->cap * 2, (usize)ENTRIES_MIN);
    struct entry **entries = realloc(sender->entries, cap * sizeof(struct entry *));
    if (!entries)
        return KL_NOMEM;
    sender->entries = entries;
    sender->cap = cap;
    return KL_OK;
}

kl_status kl_sender_insert(struct sender *sender, usize position, struct entry *entry)
{
    KL_ASSERT(position <= sender->count);
    KL_TRY(make_room(sender));
    struct entry **at = sender->entries + sender->first + position;
    memmove(at + 1, at, (sender->count - position) * sizeof(struct entry *));
    *at = entry;
    sender->count++;
    return KL_OK;
}

struct entry *kl_sender_take(struct sender *sender, usize position)
{
    struct entry *entry = kl_sender_at(sender, position);
    if (position == 0) {
        sender->first++;
    } else {
        struct entry **at = sender->entries + sender->first + position;
        memmove(at, at + 1, (sender->count - position - 1) * sizeof(struct entry *));
    }
    sender->count--;
    return entry;
}

usize kl_sender_run(const struct sender *sender, usize known)
{
    usize run = known;
    while (run < sender->count &&
           kl_sender_at(sender, run)->pub.tx.nonce - run == sender->facts.nonce)
        run++;
    return run;
}
