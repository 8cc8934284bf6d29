/*
 * Counts what one stretch of a program executes, by kind of instruction: a plugin for qemu 10.
 *
 * The program marks the stretch with a system call that no kernel has (MARK): argument 0 starts,
 * argument 1 stops, writes one JSON line to the file given as out=PATH, and names it by its second
 * argument. Only the thread that marks is counted. Kinds are told apart by encoding (Arm
 * Architecture Reference Manual, DDI 0487, chapter C4). Loads and stores also run through a model
 * of three caches, whose lines that had to be fetched are counted.
 *
 * What it does not do: it knows no cycles, no pipelines and no prefetching.
 */
#include <inttypes.h>
#include <qemu-plugin.h>
#include <stdio.h>
#include <string.h>

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

enum { MARK = 0x7ee1, KINDS = 10, LEVELS = 3, WAYS = 16, LINE_BITS = 6 };
enum { INTEGER, BRANCH, LOAD, STORE, VECTOR_LOAD, VECTOR_STORE,
       FLOAT_MAC, INTEGER_MAC, VECTOR, SCALAR_FLOAT };

static const char *const NAMES[KINDS] = {
    "integer", "branch", "load", "store", "vector_load", "vector_store",
    "float_mac", "integer_mac", "vector", "scalar_float" };
static const char *const MISSED[LEVELS] = { "missed_32k", "missed_512k", "missed_2m" };

typedef struct { uint64_t executed[KINDS]; } Counts;

typedef struct {
    unsigned ways, sets;
    uint64_t missed;
    uint64_t lines[2048 * WAYS]; /* newest first within a set */
} Cache;

static Cache caches[LEVELS] = { { .ways = 4, .sets = 128 }, { .ways = 8, .sets = 1024 },
                                { .ways = 16, .sets = 2048 } };
static struct qemu_plugin_scoreboard *board;
static Counts before;
static uint64_t missed_before[LEVELS];
static FILE *out;

/* Products that are summed: FMLA, FMLS, FMUL, MLA, MUL, SMLAL, SMULL, SDOT, SMMLA and the like. */
static int simd_kind(uint32_t word)
{
    uint32_t high = word >> 12 & 15, five = word >> 11 & 31;
    if ((word & 0x9f000400) == 0x0f000000) { /* by element */
        if (high == 1 || high == 5 || high == 9) return FLOAT_MAC;
        if (high == 0 || high == 2 || high == 4 || high == 6 || high == 8 || high == 10 ||
            high == 14 || high == 15) return INTEGER_MAC;
        return VECTOR;
    }
    if ((word & 0x9f200400) == 0x0e200400) { /* three of the same */
        if (five == 25 || (five == 27 && word >> 29 & 1)) return FLOAT_MAC;
        if (five == 18 || five == 19) return INTEGER_MAC;
        return VECTOR;
    }
    if ((word & 0x9f208400) == 0x0e008400) return INTEGER_MAC; /* dot and matrix products */
    if ((word & 0x9f200c00) == 0x0e200000)                     /* widening */
        return high == 8 || high == 10 || high == 12 ? INTEGER_MAC : VECTOR;
    if ((word & 0x5f000000) == 0x1e000000 || (word & 0x5f000000) == 0x1f000000) return SCALAR_FLOAT;
    return VECTOR;
}

static int kind_of(uint32_t word)
{
    uint32_t group = word >> 25 & 15;
    if ((group & 7) == 7) return simd_kind(word);
    if ((group & 5) != 4) return (group & 14) == 10 ? BRANCH : INTEGER;
    int vector = word >> 26 & 1, loads = word >> 22 & 1;
    if ((word & 0x3b000000) == 0x18000000) loads = 1; /* literal */
    else if ((word & 0x3b200c00) == 0x38200000 && !vector) loads = 1; /* atomics */
    else if ((word & 0x38000000) == 0x38000000) loads = (word >> 22 & (vector ? 1 : 3)) != 0;
    if (vector) return loads ? VECTOR_LOAD : VECTOR_STORE;
    return loads ? LOAD : STORE;
}

/* Whether the line was there; it is the newest of its set afterwards. */
static int touch(Cache *cache, uint64_t line)
{
    uint64_t *set = cache->lines + (line % cache->sets) * cache->ways;
    unsigned place = 0;
    while (place < cache->ways - 1 && set[place] != line) place++;
    int there = set[place] == line;
    memmove(set + 1, set, place * sizeof *set);
    set[0] = line;
    return there;
}

static void on_access(unsigned vcpu, qemu_plugin_meminfo_t info, uint64_t address, void *data)
{
    uint64_t line = address >> LINE_BITS;
    if (vcpu != 0 || caches[0].lines[(line % caches[0].sets) * caches[0].ways] == line) return;
    for (int level = 0; level < LEVELS; level++) {
        if (touch(&caches[level], line)) return;
        caches[level].missed++;
    }
}

static void on_block(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
    uint64_t found[KINDS] = { 0 };
    size_t length = qemu_plugin_tb_n_insns(block);
    for (size_t k = 0; k < length; k++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, k);
        uint32_t word = 0;
        qemu_plugin_insn_data(insn, &word, sizeof word);
        int kind = kind_of(word);
        found[kind]++;
        if (kind >= LOAD && kind <= VECTOR_STORE)
            qemu_plugin_register_vcpu_mem_cb(insn, on_access, QEMU_PLUGIN_CB_NO_REGS,
                                             QEMU_PLUGIN_MEM_RW, NULL);
    }
    for (int kind = 0; kind < KINDS; kind++) {
        qemu_plugin_u64 entry = { board, kind * sizeof(uint64_t) };
        if (found[kind])
            qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(
                block, QEMU_PLUGIN_INLINE_ADD_U64, entry, found[kind]);
    }
}

static void stop(uint64_t number, const Counts *now)
{
    fprintf(out, "{\"number\": %" PRIu64, number);
    for (int kind = 0; kind < KINDS; kind++)
        fprintf(out, ", \"%s\": %" PRIu64, NAMES[kind], now->executed[kind] - before.executed[kind]);
    for (int level = 0; level < LEVELS; level++)
        fprintf(out, ", \"%s\": %" PRIu64, MISSED[level],
                caches[level].missed - missed_before[level]);
    fprintf(out, "}\n");
    fflush(out);
}

static void on_syscall(qemu_plugin_id_t id, unsigned vcpu, int64_t number, uint64_t what,
                       uint64_t name, uint64_t a3, uint64_t a4, uint64_t a5, uint64_t a6,
                       uint64_t a7, uint64_t a8)
{
    if (number != MARK) return;
    Counts *now = qemu_plugin_scoreboard_find(board, vcpu);
    if (what == 1) { stop(name, now); return; }
    before = *now;
    for (int level = 0; level < LEVELS; level++) missed_before[level] = caches[level].missed;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc,
                                           char **argv)
{
    for (int k = 0; k < argc; k++)
        if (strncmp(argv[k], "out=", 4) == 0) out = fopen(argv[k] + 4, "a");
    if (!out) return -1;
    board = qemu_plugin_scoreboard_new(sizeof(Counts));
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_block);
    qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    return 0;
}
