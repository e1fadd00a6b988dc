/* What the two files of corruptions share. */
#ifndef KL_LIGHT_LIGHT_CORRUPT_PRIV_H
#define KL_LIGHT_LIGHT_CORRUPT_PRIV_H

#include "light/light_rig_priv.h"

/* A Finalization that counts, of an epoch's end or of the block, in a copy of the bundle's own;
 * NULL when there is none. */
kl_span *light_pick_finalization(light_rig *rig, kl_light_bundle *b, usize first, u64 *seed);

/* What takes secrets: votes of too few or of strangers, well signed for what is not so; and blocks
 * that a whole quorum signed and that are wrong all the same. */
#define LIGHT_FORGERIES(X)                              \
    X(too_few, "less than a quorum")                    \
    X(strangers, "signed by strangers")                 \
    X(other_epoch, "signed by another epoch's set")     \
    X(domain, "signed for another chain")               \
    X(subject, "signed for another subject")            \
    X(again, "signed as proposed again")                \
    X(twice, "a signature twice")                       \
    X(order, "signatures in another order")             \
    X(surplus, "a signature without a signer")          \
    X(missing, "a signer without a signature")          \
    X(outsider, "a signer who is not in the set")       \
    X(malleable, "a signature spelled another way")     \
    X(no_signature, "a signature of nothing")           \
    X(spelling, "a Finalization spelled another way")   \
    X(place, "a block in another place")                \
    X(extra_data, "a block that names nothing")         \
    X(consensus, "a consensus header that is none")     \
    X(not_last, "an epoch that does not end")           \
    X(bad_set, "a validator set that is none")          \
    X(number, "a header that does not follow the last") \
    X(spurious, "the Finalization of a genesis")

#define LIGHT_FORGERY_X(id, name) \
    bool light_forge_##id(light_rig *rig, kl_light_bundle *bundle, usize first, u64 *seed);
LIGHT_FORGERIES(LIGHT_FORGERY_X)
#undef LIGHT_FORGERY_X

#endif
