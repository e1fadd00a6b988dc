/* keel light verify as somebody types it, about the genesis of a chain that votes. */
#include "chain/reader.h"
#include "cli/place_test.h"
#include "cli/said_test.h"
#include "codec/hex.h"
#include "crypto/bls_sign.h"
#include "sim/disk.h"
#include "store/memkv.h"

static const char config[] =
    "{\"config\":{\"chainId\":4711,\"homesteadBlock\":0,\"eip150Block\":0,\"eip155Block\":0,"
    "\"eip158Block\":0,\"byzantiumBlock\":0,\"constantinopleBlock\":0,\"petersburgBlock\":0,"
    "\"istanbulBlock\":0,\"berlinBlock\":0,\"londonBlock\":0,\"terminalTotalDifficulty\":0,"
    "\"shanghaiTime\":0,\"cancunTime\":0,\"keel\":{\"engine\":\"simplex\",\"bft\":{\"scheme\":"
    "\"secp256k1\",\"epochBlocks\":8,\"validators\":[{\"operator\":"
    "\"0x00000000000000000000000000000000000000a1\",\"weight\":1,";

static void put_hex(struct kl_buf *out, const char *name, kl_span bytes)
{
    kl_buf_print(out, "\"%s\":\"0x", name);
    char *digits = (char *)kl_buf_extend(out, 2 * bytes.len);
    CHECK(digits);
    kl_hex_digits(digits, bytes);
    kl_buf_str(out, "\"");
}

/* A genesis file with one validator. */
static void put_genesis(struct kl_buf *out, u8 timestamp)
{
    const kl_vote_scheme *scheme = kl_vote_scheme_of(KL_SCHEME_SECP256K1, false);
    const kl_secret32 secret = {.b = {[31] = 7}};
    u8 key[KL_VOTE_KEY_MAX], randao_key[KL_RANDAO_KEY_LEN], proof[KL_BLS_SIGNATURE_LEN];
    CHECK(scheme->public_key(key, &secret) && kl_bls_public_key(randao_key, &secret) &&
          kl_bls_prove(proof, &secret));
    kl_buf_str(out, config);
    put_hex(out, "key", kl_span_of(key, scheme->key_len));
    kl_buf_str(out, ",");
    put_hex(out, "randaoKey", KL_SPAN_OF(randao_key));
    kl_buf_str(out, ",");
    put_hex(out, "randaoProof", KL_SPAN_OF(proof));
    kl_buf_print(out,
                 "}]}}},\"timestamp\":\"0x%x\",\"gasLimit\":\"0x1c9c380\",\"difficulty\":\"0x0\","
                 "\"alloc\":{}}",
                 timestamp);
}

static void put_parts(struct kl_buf *out, struct kl_reader *reader, struct kl_arena *arena)
{
    kl_header header;
    kl_hash hash;
    kl_finality finality;
    kl_span set;
    u8 room[KL_HEADER_RLP_MAX];
    kl_out rlp = kl_out_of(room, sizeof room);
    CHECK_OK(kl_reader_header(reader, 0, arena, &header, &hash));
    CHECK_OK(kl_reader_finality(reader, 0, arena, &finality));
    CHECK_OK(kl_reader_validators(reader, 0, arena, &set));
    kl_header_encode(&rlp, &header);
    struct kl_json_out json = kl_json_out_to(out);
    kl_json_put_object(&json);
    kl_json_add_quantity(&json, "chainId", 4711);
    kl_json_put_key(&json, "genesis");
    kl_json_put_object(&json);
    kl_json_add_hash(&json, "hash", &hash);
    kl_json_add_data(&json, "header", kl_out_done(&rlp));
    kl_json_add_data(&json, "consensusHeader", finality.consensus_header);
    kl_json_add_data(&json, "validators", set);
    kl_json_put_object_end(&json);
    kl_json_put_key(&json, "epochs");
    kl_json_put_raw(&json, KL_SPAN_TEXT("[]"));
    kl_json_put_key(&json, "headers");
    kl_json_put_array(&json);
    kl_json_put_data(&json, kl_out_done(&rlp));
    kl_json_put_array_end(&json);
    kl_json_put_object_end(&json);
}

/* The bundle of a genesis. */
static kl_hash put_bundle(struct kl_buf *out, kl_span genesis)
{
    struct kl_sim_disk *disk;
    struct kl_kv *kv;
    struct kl_chain *chain;
    struct kl_reader *reader;
    struct kl_arena arena;
    kl_chain_report report;
    kl_arena_init(&arena, 1 << 24);
    CHECK_OK(kl_sim_disk_new(&disk));
    CHECK_OK(kl_memkv_open(&kv, KL_TABLE_COUNT));
    const kl_chain_config c = {
        .fs = kl_sim_disk_fs(disk), .kv = kv, .genesis = genesis, .segment_bytes = 1 << 20};
    CHECK_OK(kl_chain_open(&chain, &c, NULL, &report));
    CHECK_OK(kl_reader_open(chain, &reader));
    put_parts(out, reader, &arena);
    kl_hash hash = *kl_chain_genesis_hash(chain);
    kl_reader_close(reader);
    kl_chain_close(chain);
    kl_kv_close(kv);
    kl_sim_disk_free(disk);
    kl_arena_done(&arena);
    return hash;
}

static void write_file(const char *path, kl_span text)
{
    FILE *file = fopen(path, "wb");
    CHECK(file && fwrite(text.p, 1, text.len, file) == text.len && fclose(file) == 0);
}

KL_TEST(light_verify_says_what_is_proven)
{
    struct place place;
    struct kl_buf genesis, other, bundle, answer;
    char line[400], hash[65] = {0};
    kl_buf_init(&genesis, 1 << 16);
    kl_buf_init(&other, 1 << 16);
    kl_buf_init(&bundle, 1 << 16);
    kl_buf_init(&answer, 1 << 16);
    place_enter(&place);
    put_genesis(&genesis, 100);
    put_genesis(&other, 101);
    kl_hash h = put_bundle(&bundle, kl_buf_view(&genesis));
    kl_hex_digits(hash, kl_hash_span(&h));
    kl_buf_str(&answer, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":");
    kl_buf_span(&answer, kl_buf_view(&bundle));
    kl_buf_str(&answer, "}");
    write_file("genesis.json", kl_buf_view(&genesis));
    write_file("other.json", kl_buf_view(&other));
    write_file("bundle.json", kl_buf_view(&bundle));
    write_file("answer.json", kl_buf_view(&answer));
    write_file("broken.json", kl_span_of(bundle.p, bundle.len - 1));

    check_said("light verify bundle.json", KL_EXIT_USAGE, "what is trusted?");
    check_said("light verify --genesis genesis.json bundle.json", 0, "block 0 is final");
    check_said("light verify --genesis genesis.json bundle.json", 0, hash);
    check_said("light verify --genesis genesis.json answer.json", 0, "block 0 is final");
    check_said("light verify --genesis other.json bundle.json", KL_EXIT_FAILED,
               "bundle.json: refused: genesis: light: another genesis than the trusted one");
    check_said("light verify --genesis bundle.json bundle.json", KL_EXIT_FAILED, "bundle.json:");
    check_said("light verify --genesis nothing.json bundle.json", KL_EXIT_FAILED, "not found");
    snprintf(line, sizeof line, "light verify --genesis-hash 0x%s bundle.json broken.json", hash);
    check_said(line, KL_EXIT_FAILED, "bundle.json: block 0 is final");
    check_said(line, KL_EXIT_FAILED, "broken.json: refused: line 1: json: not well-formed");
    snprintf(line, sizeof line, "light verify --genesis-hash 0x%s --save seen.json bundle.json",
             hash);
    check_said(line, 0, "block 0 is final");
    check_said("light verify --checkpoint seen.json bundle.json", 0, "block 0 is final");
    CHECK(access("seen.json.next", F_OK) != 0);
    check_said("light verify --checkpoint seen.json --save nowhere/x bundle.json", KL_EXIT_FAILED,
               "nowhere/x: cannot be written");
    check_said("light verify --json --checkpoint seen.json bundle.json", 0, "\"good\":true");
    check_said("light verify --checkpoint genesis.json bundle.json", KL_EXIT_FAILED,
               "genesis.json: chainId");
    check_said("light verify --genesis-hash 0x12 bundle.json", KL_EXIT_USAGE, "64 digits");
    check_said("light verify --checkpoint seen.json --genesis genesis.json bundle.json",
               KL_EXIT_USAGE, "one of them");
    check_said("light verify --checkpoint seen.json --save x bundle.json answer.json",
               KL_EXIT_USAGE, "one bundle");
    place_leave(&place);
    kl_buf_done(&genesis);
    kl_buf_done(&other);
    kl_buf_done(&bundle);
    kl_buf_done(&answer);
}
