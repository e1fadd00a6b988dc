/* For decoders that put what they read into an arena.  Inside one, a step returns a rule; when the
 * arena is exhausted there is no verdict, and it returns KL_NO_VERDICT, which ends the decoding
 * like a broken rule would.  kl_settle parts the two again for the caller. */
#ifndef KL_TYPES_DECODE_PRIV_H
#define KL_TYPES_DECODE_PRIV_H

#include "base/status.h"
#include "codec/rlp.h"

#define KL_NO_VERDICT KL_RULE_COUNT

KL_MUST_USE static inline kl_status kl_settle(kl_rule rule, kl_rule *broken)
{
    if (rule == KL_NO_VERDICT)
        return KL_NOMEM;
    *broken = rule;
    return KL_OK;
}

/* Opens the next list and counts its items, none of which can be shorter than `least` bytes:
 * RLP_LENGTH before anybody takes memory for items that are too short to be any. */
static inline kl_rule kl_open_counted(kl_rlp *from, kl_rlp *list, usize least, usize *count)
{
    KL_JUDGE(kl_rlp_list(from, list));
    KL_JUDGE(kl_rlp_count(list, count));
    return *count > list->rest.len / least ? KL_RULE_RLP_LENGTH : KL_RULE_NONE;
}

#endif
