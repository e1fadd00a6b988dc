#include "p2p/peer_id.h"

#include "codec/protobuf.h"
#include "crypto/curve25519.h"

enum {
    FIELD_TYPE = 1,
    FIELD_DATA = 2,
    TYPE_ED25519 = 1,
    MULTIHASH_IDENTITY = 0,
};

kl_peer_id kl_peer_id_of(const kl_secret32 *secret)
{
    kl_peer_id id;
    kl_ed25519_public(id.key, secret);
    return id;
}

void kl_peer_key_put(kl_out *out, const kl_peer_id *peer)
{
    kl_pb_put_u64(out, FIELD_TYPE, TYPE_ED25519);
    kl_pb_put_bytes(out, FIELD_DATA, KL_SPAN_OF(peer->key));
}

/* One encoding only, since the id is a hash of it: type before data, nothing else. */
kl_rule kl_peer_key(kl_peer_id *out, kl_span bytes)
{
    kl_pb_field type, data;
    KL_JUDGE(kl_pb_next(&bytes, &type));
    KL_JUDGE(kl_pb_next(&bytes, &data));
    if (bytes.len || type.number != FIELD_TYPE || type.wire != KL_PB_VARINT ||
        type.value != TYPE_ED25519 || data.number != FIELD_DATA || data.wire != KL_PB_BYTES ||
        data.bytes.len != sizeof out->key)
        return KL_RULE_PEER_KEY;
    memcpy(out->key, data.bytes.p, sizeof out->key);
    return KL_RULE_NONE;
}

void kl_peer_id_put(kl_out *out, const kl_peer_id *peer)
{
    kl_varint_put(out, MULTIHASH_IDENTITY);
    kl_varint_put(out, KL_PEER_KEY_LEN);
    kl_peer_key_put(out, peer);
}

kl_rule kl_peer_id_get(kl_peer_id *out, kl_span bytes)
{
    u64 code, len;
    KL_JUDGE(kl_varint(&bytes, &code));
    KL_JUDGE(kl_varint(&bytes, &len));
    if (code != MULTIHASH_IDENTITY || len != KL_PEER_KEY_LEN || bytes.len != len)
        return KL_RULE_PEER_KEY;
    return kl_peer_key(out, bytes);
}

usize kl_peer_id_text(char out[KL_BASE58_TEXT_MAX], const kl_peer_id *peer)
{
    u8 room[KL_PEER_ID_LEN];
    kl_out to = kl_out_of(room, sizeof room);
    kl_peer_id_put(&to, peer);
    KL_ASSERT(!to.full && to.len == sizeof room);
    return kl_base58_encode(out, KL_SPAN_OF(room));
}

kl_rule kl_peer_id_parse(kl_peer_id *out, kl_span text)
{
    u8 room[KL_BASE58_BYTES_MAX];
    usize len;
    KL_JUDGE(kl_base58_decode(room, &len, text));
    return kl_peer_id_get(out, kl_span_of(room, len));
}
