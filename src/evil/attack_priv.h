/* attack_priv: what the attacks do, each in the file of its layer. */
#ifndef KL_EVIL_ATTACK_PRIV_H
#define KL_EVIL_ATTACK_PRIV_H

#include "evil/evil_priv.h"

typedef void evil_act(struct evil_wire *w);
typedef void evil_hears(struct evil_wire *w, evil_class class, kl_span frame);

/* handshake.c */
evil_act evil_half_line, evil_drip, evil_long_line, evil_http, evil_tries, evil_half_noise,
    evil_first_noise, evil_long_noise, evil_zero_noise, evil_garbage_noise;

/* mux.c */
evil_act evil_bad_version, evil_bad_type, evil_bad_flags, evil_thousand_streams, evil_churn_stream,
    evil_wrong_stream, evil_unopened_stream, evil_closed_stream, evil_beyond_window,
    evil_huge_window, evil_ping, evil_crumbs, evil_empty_frames, evil_half_streams;

/* service.c */
evil_act evil_early_stream, evil_two_hellos, evil_long_hello, evil_junk_identify,
    evil_long_identify, evil_other_network, evil_ask_identify, evil_junk_push, evil_push,
    evil_open_ping, evil_say_ping;

/* guest.c */
evil_act evil_guest_junk, evil_guest_half, evil_guest_replay;

/* rumour.c */
evil_act evil_open_gossip, evil_gossip_junk, evil_gossip_long, evil_gossip_topics,
    evil_gossip_ihave, evil_gossip_iwant, evil_gossip_graft, evil_gossip_idontwant,
    evil_gossip_invalid, evil_gossip_poison;

/* talk.c */
evil_act evil_long_frame, evil_long_vote, evil_slow_frame, evil_unknown_kind, evil_bad_rlp,
    evil_vote_garbage, evil_vote_foreign, evil_vote_far, evil_vote_epoch, evil_replay,
    evil_certificate_garbage, evil_evidence_garbage, evil_huge_proposal, evil_ask_certificates;
evil_hears evil_keep_frame, evil_vote_twice, evil_vote_bodiless;

/* lead.c */
evil_hears evil_lead_gas, evil_lead_slow, evil_lead_bytes, evil_lead_huge, evil_lead_edge,
    evil_lead_ahead, evil_lead_never, evil_lead_same, evil_lead_behind, evil_lead_apart;

/* fetch.c */
evil_act evil_ask_blocks, evil_ask_seldom, evil_ask_records, evil_ask_state, evil_ask_bodies,
    evil_unasked_state, evil_unasked_blocks, evil_claim_high, evil_claim;
evil_hears evil_wrong_blocks, evil_other_blocks, evil_stall, evil_endless_headers;

/* pay.c */
evil_act evil_tx_garbage, evil_tx_signature, evil_tx_chain, evil_tx_poor, evil_tx_free,
    evil_tx_gaps, evil_tx_replace, evil_tx_large, evil_tx_replay;

#endif
