#include "p2p/peer_record.h"

#include "codec/protobuf.h"
#include "crypto/curve25519.h"

enum {
    ENVELOPE_KEY = 1,
    ENVELOPE_TYPE = 2,
    ENVELOPE_PAYLOAD = 3,
    ENVELOPE_SIGNATURE = 5,

    RECORD_PEER_ID = 1,
    RECORD_SEQ = 2,
    RECORD_ADDRESS = 3,
    ADDRESS_MULTIADDR = 1,

    PAYLOAD_MAX = KL_RECORD_MAX,
    SIGNED_MAX = PAYLOAD_MAX + 64,
};

#define DOMAIN "libp2p-peer-record"
static const u8 payload_type[] = {3, 1}; /* the multicodec 0x0301 as these two bytes */

static void put_counted(kl_out *out, kl_span bytes)
{
    kl_varint_put(out, bytes.len);
    kl_out_span(out, bytes);
}

/* What the signature stands over. */
static kl_span signed_text(u8 room[SIGNED_MAX], kl_span payload)
{
    kl_out out = kl_out_of(room, SIGNED_MAX);
    put_counted(&out, KL_SPAN_TEXT(DOMAIN));
    put_counted(&out, KL_SPAN_OF(payload_type));
    put_counted(&out, payload);
    KL_ASSERT(!out.full);
    return kl_out_done(&out);
}

static void put_record(kl_out *out, const kl_peer_record *record)
{
    u8 room[KL_MULTIADDR_MAX];
    kl_out id = kl_out_of(room, sizeof room);
    kl_peer_id_put(&id, &record->peer);
    kl_pb_put_bytes(out, RECORD_PEER_ID, kl_out_done(&id));
    kl_pb_put_u64(out, RECORD_SEQ, record->seq);
    for (usize i = 0; i < record->count; i++) {
        kl_out addr = kl_out_of(room, sizeof room), head = kl_out_counter();
        kl_multiaddr_put(&addr, &record->addrs[i]);
        kl_pb_put_head(&head, ADDRESS_MULTIADDR, addr.len);
        kl_pb_put_head(out, RECORD_ADDRESS, head.len + addr.len);
        kl_pb_put_bytes(out, ADDRESS_MULTIADDR, kl_out_done(&addr));
    }
}

void kl_peer_record_seal(kl_out *out, const kl_peer_record *record, const kl_secret32 *secret)
{
    u8 payload_room[PAYLOAD_MAX], signed_room[SIGNED_MAX], key_room[KL_PEER_KEY_LEN];
    u8 signature[KL_ED25519_SIGNATURE_LEN];
    kl_peer_id self = kl_peer_id_of(secret);
    KL_ASSERT(kl_peer_id_eq(&self, &record->peer));
    KL_ASSERT(record->count <= KL_RECORD_ADDRS_MAX);
    kl_out payload = kl_out_of(payload_room, sizeof payload_room);
    kl_out key = kl_out_of(key_room, sizeof key_room);
    put_record(&payload, record);
    kl_peer_key_put(&key, &record->peer);
    KL_ASSERT(!payload.full && !key.full);
    kl_ed25519_sign(signature, secret, signed_text(signed_room, kl_out_done(&payload)));
    kl_pb_put_bytes(out, ENVELOPE_KEY, kl_out_done(&key));
    kl_pb_put_bytes(out, ENVELOPE_TYPE, KL_SPAN_OF(payload_type));
    kl_pb_put_bytes(out, ENVELOPE_PAYLOAD, kl_out_done(&payload));
    kl_pb_put_bytes(out, ENVELOPE_SIGNATURE, KL_SPAN_OF(signature));
}

struct envelope {
    kl_span key, type, payload, signature;
};

static kl_rule read_envelope(struct envelope *out, kl_span bytes)
{
    while (bytes.len) {
        kl_pb_field field;
        KL_JUDGE(kl_pb_next(&bytes, &field));
        kl_span *to = field.number == ENVELOPE_KEY         ? &out->key
                      : field.number == ENVELOPE_TYPE      ? &out->type
                      : field.number == ENVELOPE_PAYLOAD   ? &out->payload
                      : field.number == ENVELOPE_SIGNATURE ? &out->signature
                                                           : NULL;
        if (to && field.wire != KL_PB_BYTES)
            return KL_RULE_RECORD_FORM;
        if (to)
            *to = field.bytes;
    }
    return KL_RULE_NONE;
}

static kl_rule read_address(kl_peer_record *record, kl_span bytes)
{
    while (bytes.len) {
        kl_pb_field field;
        KL_JUDGE(kl_pb_next(&bytes, &field));
        if (field.number != ADDRESS_MULTIADDR)
            continue;
        if (field.wire != KL_PB_BYTES)
            return KL_RULE_RECORD_FORM;
        if (record->count < KL_RECORD_ADDRS_MAX &&
            kl_multiaddr_get(&record->addrs[record->count], field.bytes) == KL_RULE_NONE)
            record->count++;
    }
    return KL_RULE_NONE;
}

static kl_rule read_record(kl_peer_record *out, kl_span bytes)
{
    bool named = false;
    while (bytes.len) {
        kl_pb_field field;
        KL_JUDGE(kl_pb_next(&bytes, &field));
        switch (field.number) {
        case RECORD_PEER_ID:
            if (field.wire != KL_PB_BYTES)
                return KL_RULE_RECORD_FORM;
            KL_JUDGE(kl_peer_id_get(&out->peer, field.bytes));
            named = true;
            break;
        case RECORD_SEQ:
            if (field.wire != KL_PB_VARINT)
                return KL_RULE_RECORD_FORM;
            out->seq = field.value;
            break;
        case RECORD_ADDRESS:
            if (field.wire != KL_PB_BYTES)
                return KL_RULE_RECORD_FORM;
            KL_JUDGE(read_address(out, field.bytes));
            break;
        }
    }
    return named ? KL_RULE_NONE : KL_RULE_RECORD_FORM;
}

kl_rule kl_peer_record_open(kl_peer_record *out, kl_span bytes)
{
    struct envelope envelope = {0};
    kl_peer_record record = {0};
    u8 room[SIGNED_MAX];
    kl_peer_id signer;
    if (bytes.len > KL_RECORD_MAX)
        return KL_RULE_RECORD_FORM;
    KL_JUDGE(read_envelope(&envelope, bytes));
    if (!kl_span_eq(envelope.type, KL_SPAN_OF(payload_type)))
        return KL_RULE_RECORD_FORM;
    KL_JUDGE(kl_peer_key(&signer, envelope.key));
    KL_JUDGE(read_record(&record, envelope.payload));
    if (!kl_peer_id_eq(&signer, &record.peer))
        return KL_RULE_RECORD_PEER;
    if (envelope.signature.len != KL_ED25519_SIGNATURE_LEN ||
        !kl_ed25519_verify(signer.key, signed_text(room, envelope.payload), envelope.signature.p))
        return KL_RULE_RECORD_SIGNATURE;
    *out = record;
    return KL_RULE_NONE;
}
