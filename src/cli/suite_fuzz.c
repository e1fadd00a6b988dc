/* Files of official tests.  The first byte says whether they are state tests or block tests, the
 * rest is the file.  Whatever it says, the command ends with an exit code, and a file that is no
 * JSON object fails. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fuzz.h"
#include "cli/command.h"
#include "codec/json.h"

static int run(bool blocks, char *path)
{
    char name[] = "keel", json[] = "--json";
    char *state_args[] = {name, json, path, NULL}, *block_args[] = {name, path, NULL};
    FILE *out = stdout, *err = stderr, *nowhere = fopen("/dev/null", "w");
    KL_ASSERT(nowhere);
    stdout = stderr = nowhere;
    int code = blocks ? kl_cmd_blocktest(2, block_args) : kl_cmd_statetest(3, state_args);
    stdout = out;
    stderr = err;
    fclose(nowhere);
    return code;
}

static bool is_object(kl_span text)
{
    struct kl_arena arena;
    struct kl_json json;
    kl_rule broken;
    usize at;
    kl_arena_init(&arena, 1 << 28);
    KL_ASSERT(kl_json_parse(&json, text, 1 << 20, &arena, &broken, &at) == KL_OK);
    bool object = broken == KL_RULE_NONE && kl_json_is(&json, 0, KL_JSON_OBJECT);
    kl_arena_done(&arena);
    return object;
}

int LLVMFuzzerTestOneInput(const u8 *bytes, usize len)
{
    char path[] = "/tmp/keel-fuzz-XXXXXX";
    if (len == 0 || memmem(bytes, len, "Ethash", 6)) /* its cache takes a second to make */
        return 0;
    kl_span text = kl_span_of(bytes + 1, len - 1);
    int fd = mkstemp(path);
    KL_ASSERT(fd >= 0 && write(fd, text.p, text.len) == (ssize_t)text.len);
    close(fd);
    int code = run(bytes[0] & 1, path);
    KL_ASSERT(code == KL_EXIT_OK || code == KL_EXIT_FAILED);
    KL_ASSERT(code == KL_EXIT_FAILED || is_object(text));
    unlink(path);
    return 0;
}
