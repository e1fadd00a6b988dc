/* vote_priv: the part of a vote that a certificate shares. */
#ifndef KL_CERT_VOTE_PRIV_H
#define KL_CERT_VOTE_PRIV_H

#include "cert/vote.h"
#include "codec/rlp.h"

/* The subject with everything that its kind does not use zeroed. */
kl_vote_subject kl_vote_subject_plain(const kl_vote_subject *subject);

/* kind, epoch, view(, parent_view, height, parent_hash, block_hash), as items of an open list. */
void kl_vote_put_subject(kl_out *out, const kl_vote_subject *subject);
kl_rule kl_vote_get_subject(kl_rlp *from, kl_vote_subject *out);

#endif
