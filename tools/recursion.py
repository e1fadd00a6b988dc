#!/usr/bin/env python3
"""Finds recursion: cycles in the graph of calls over src/, tests, fuzz targets and benches apart.

gcc's -fcallgraph-info gives, at -O0 and file by file, every direct call and the place of every call
through a pointer.  A call of x->step is taken to reach every function that is anywhere assigned to a
member step (`.step = f`, `y->step = f`) of a structure that something called x has, and where there is
none, every function in a table of the same file.  A function that mentions another, without calling
it or putting it into such a member, is taken to call it, which covers callbacks: who hands f down has
f run beneath it.

Every cycle must be in ALLOWED with what bounds its depth; an entry that has no cycle fails too."""
import collections
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDES = ["-Isrc", "-isystem", "third_party/node_modules/c-kzg/deps/blst/bindings"]
FLAGS = ["-std=gnu17", "-O0", "-w", "-D_GNU_SOURCE", '-DKL_SOURCE_ROOT=""', "-fcallgraph-info", "-S"]
SHIPPED = re.compile(r"(?:^src \+?= *files|static_library)\(([^)]*)\)", re.M)
# The functions of a cycle, sorted, and what bounds its depth.
ALLOWED = {
    r"kl_changes_unref": "2: a set is merged from sets that are not merged themselves",
    r"kl_arg_block src/rpc/param.c:block_object": "2: the number in the object must not be an object",
    r"src/rpc/call_env.c:get_hash": "2: the hashes that it asks are those of a view",
    r"(kl_kv_\w+ )?src/lab/statedb.c:\w+": "2: the store that crashes stands on one that does not",
    r"replica_fetch src/host/replica_fetch.c:take": "2: blocks are taken from an answer, which a failure is not",
    r"(replica_\w+ )+(src/host/replica\w*.c:\w+ ?)+":
        "2: an event that is told while another is taken waits for its turn, and what fails fails once",
    r"(src/p2p/conn.c:\w+ ?)+": "1: the user of a connection is not the connection, which uses its yamux",
    r"src/sys/slow_fs.c:\w+ src/sys/slow_fs.c:\w+": "2: the file system that is slow stands on one that is not",
    r"src/node/net_peers.c:on_\w+": "2: the swarm's user is the net, whose user is another",
    r"kl_bench_conn_ask( src/cli/bench_(drive|http|reads).c:\w+)+":
        "2: a request that cannot be sent is answered at once, with a failure, upon which nobody asks again",
    r"(src/cli/fuzz_code.c:\w+ ?)+": "3 a level, and make refuses to nest deeper than NEST_MAX + 1",
}
# Functions whose arguments run later: beneath whom, and nobody where they run on a stack of their own.
DEFERRED = {"replica_give": "src/host/replica.c:work_done", "kl_thread_start": None}
# What .def files and tables elsewhere fill: a pattern of functions.
POINTERS = {
    "method->run": r"kl_rpc_(?!start)\w+",
    "precompile->run": r"kl_pre_run_\w+",
    "precompile->gas": r"kl_pre_gas_\w+",
    "commands[i].run": r"kl_cmd_\w+",
    "s->synced": r"src/node/storage.c:delay_commit",
    "unit->step": r"src/crypto/keccak_x86.c:step\d_avx\w+",
}
NODE = re.compile(r'node: \{ title: "([^"]+)" label: "[^"]*?\\n([^":]+):(\d+):\d+" \}')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"(?: label: "([^"]+)")? \}')
ASSIGNED = re.compile(r"(\w*)(?:\.|->)(\w+)\s*=\s*&?(\w+)\s*[,;})]")
INITIALIZER = re.compile(r"\b(\w+) \**\w+(?:\[[^\]]*\])* = \{|\((?:struct )?(\w+)\)\{")
DEFER = re.compile(rf"\b({'|'.join(DEFERRED)})(\([^;]*\));")
STRUCTURE = re.compile(r"\bstruct (\w+) \{\n(.*?)^\}", re.S | re.M)
POINTER_MEMBER = re.compile(r"\(\*(?:const )?(\w+)\)\(")
DECLARED = re.compile(r"\b(\w+) \**(?:const )?(\w+)(?=\s*(?:[;,)=]|\[))")
CALL = re.compile(r"((?:\w+(?:\[[^\]]*\])?(?:->|\.))*)(\w+)(?:\[[^\]]*\])*\)?\(")
INLINE = re.compile(r"^(?:static inline|KL_INLINE) [\w \*]*?\**(\w+)\(", re.M)
MENTION = re.compile(r"(?<=[(,=?:{&]) *&?([A-Za-z_]\w*)(?= *[,;)}:])")


def sources():
    """What the layers' meson.build list as their own, tests apart."""
    for build in sorted(ROOT.glob("src/*/meson.build")):
        for part in SHIPPED.findall(build.read_text()):
            for name in re.findall(r"'(\w+\.c)'", part):
                yield (build.parent / name).relative_to(ROOT).as_posix()


def graph_of(source, folder):
    out = pathlib.Path(folder, source.replace("/", "+"))
    command = ["gcc", *FLAGS, *INCLUDES, source, "-o", str(out) + ".s"]
    subprocess.run(command, cwd=ROOT, check=True)
    return out.with_name(out.name + ".ci").read_text()


class Graph:
    """edges: who calls whom; pointers: the calls through pointers, (function, file, line, column)."""

    def __init__(self):
        self.edges, self.pointers, self.body = collections.defaultdict(set), set(), {}
        self.named = collections.defaultdict(set)

    def add(self, text):
        for name, file, line in NODE.findall(text):
            self.body[name] = (file, int(line))
            self.named[name.split(":")[-1]].add(name)
        for caller, callee, place in EDGE.findall(text):
            if callee == "__indirect_call":
                file, line, column = place.rsplit(":", 2)
                self.pointers.add((caller, file, int(line), int(column)))
            else:
                self.edges[caller].add(callee)

    def resolve(self, name, file):
        """The functions that a name means in a file: its own static one, or the global ones."""
        own = f"{file}:{name}"
        return {own} if own in self.body else {n for n in self.named.get(name, ()) if ":" not in n}


def text_of(file, cache={}):
    if file not in cache:
        path = ROOT / file
        cache[file] = path.read_text().splitlines() if path.is_file() else []
    return cache[file]


def body_of(file, line):
    """The lines of a function by the house layout: it ends with a brace in column 0."""
    lines = text_of(file)
    end = next((n for n in range(line, len(lines)) if lines[n].startswith("}")), len(lines))
    return "\n".join(lines[line - 1:end])


class Types:
    """What names are declared to be, and which structures have which pointers to functions."""

    def __init__(self, files):
        self.members = collections.defaultdict(set)
        self.of = {file: collections.defaultdict(set) for file in files}
        self.anywhere = collections.defaultdict(set)
        for file in files:
            text = "\n".join(text_of(file))
            for name, body in STRUCTURE.findall(text):
                self.members[name].update(POINTER_MEMBER.findall(body))
            for kind, name in DECLARED.findall(text):
                self.of[file][name].add(kind)
                self.anywhere[name].add(kind)

    def owners(self, file, receiver, member):
        """The structures with that member that the receiver can be; the file's own word goes first."""
        name = re.search(r"(\w+)(?:\[\w*\])?(?:->|\.)$", receiver)
        for known in (self.of[file], self.anywhere) if name else ():
            found = {kind for kind in known[name[1]] if member in self.members.get(kind, ())}
            if found:
                return found
        return set()


def assigned(graph, types, file, members):
    """Adds to members[structure, member] what a file assigns; the structure is None where it is not plain."""
    text = "\n".join(text_of(file))
    spans = []
    for hit in INITIALIZER.finditer(text):
        depth, end = 1, hit.end()
        while depth and end < len(text):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        spans.append((hit.start(), end, hit[1] or hit[2]))
    for hit in ASSIGNED.finditer(text):
        if hit[1]:  # x->m = f
            owners = sorted(types.owners(file, hit[1] + "->", hit[2]))
        else:
            owners = [owner for start, end, owner in spans if start < hit.start() < end][-1:]
        for owner in owners or [None]:
            members[owner, hit[2]] |= graph.resolve(hit[3], file)


def last_two(expression):
    """x->y[i].f is known as y[i].f."""
    return re.search(r"(?:\w+(?:\[\w*\])?(?:->|\.))?\w+$", expression)[0]


def in_tables(graph, file):
    """The functions that a file mentions outside of functions."""
    outside, inside = [], False
    for line in text_of(file):
        inside = line == "{" or inside and line != "}"
        outside += [] if inside else [line]
    words = set(MENTION.findall("\n".join(outside))) & graph.named.keys()
    return {f for word in words for f in graph.resolve(word, file)}


def targets_of(graph, members, types, file, receiver, name):
    """What a call of receiver->name in a file can reach."""
    pattern = POINTERS.get(last_two(receiver + name))
    if pattern:
        return {f for f in graph.body if re.fullmatch(pattern, f)}
    owners = types.owners(file, receiver, name)
    named = {structure: found for (structure, member), found in members.items() if member == name}
    return {f for structure, found in named.items()
            if not owners or structure in owners or structure is None for f in found}


def add_pointers(graph, files):
    """Edges for pointer calls and for mentions."""
    members = collections.defaultdict(set)
    inline = {name for file in files for name in INLINE.findall("\n".join(text_of(file)))}
    types = Types(files)
    for file in files:
        assigned(graph, types, file, members)
    for caller, file, line, column in graph.pointers:
        here = " ".join(text_of(file)[line - 1:line + 1])[column - 1:].split(";")[0]
        calls = [(receiver, name) for receiver, name in CALL.findall(here)
                 if receiver or not (name in graph.named or name in inline or name.isupper())]
        if calls:
            receiver, name = calls[0]
            reach = targets_of(graph, members, types, file, receiver, name)
            graph.edges[caller] |= reach or (in_tables(graph, file) if receiver else set())
    for name, (file, line) in graph.body.items():
        body = body_of(file, line)
        for hit in DEFER.finditer(body):
            for word in set(MENTION.findall(hit[2])) & graph.named.keys() if DEFERRED[hit[1]] else ():
                graph.edges[DEFERRED[hit[1]]] |= graph.resolve(word, file)
        for word in set(MENTION.findall(ASSIGNED.sub("", DEFER.sub("", body)))) & graph.named.keys():
            if not re.search(rf"[\w*] \**{word}\b( =|[;,)\[])", body):  # a variable of that name
                graph.edges[name] |= graph.resolve(word, file)


def cycles(edges):
    """Strongly connected sets of more than one node, or of one that calls itself [Tarjan]."""
    index, low, stack, held, found = {}, {}, [], set(), []
    for root in sorted(edges):
        work = [] if root in index else [(root, None)]
        while work:
            node, rest = work.pop()
            if rest is None:
                index[node] = low[node] = len(index)
                stack.append(node)
                held.add(node)
                rest = iter(sorted(edges.get(node, ())))
            for callee in rest:
                if callee not in index:
                    work += [(node, rest), (callee, None)]
                    break
                if callee in held:
                    low[node] = min(low[node], low[callee])
            else:
                if low[node] == index[node]:
                    part = stack[stack.index(node):]
                    del stack[-len(part):]
                    held.difference_update(part)
                    if len(part) > 1 or node in edges.get(node, ()):
                        found.append(tuple(sorted(part)))
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
    return found


def shortest(edges, part):
    """A shortest cycle through the first function of a set, to be read."""
    seen, line = {part[0]: None}, [part[0]]
    for node in line:
        for callee in sorted(edges.get(node, ())):
            if callee == part[0]:
                path = [callee]
                while node:
                    path.insert(0, node)
                    node = seen[node]
                return " -> ".join(path)
            if callee in part and callee not in seen:
                seen[callee] = node
                line.append(callee)
    return ""


def main():
    graph, files = Graph(), list(sources())
    with tempfile.TemporaryDirectory() as folder, \
            concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for text in pool.map(lambda source: graph_of(source, folder), files):
            graph.add(text)
    headers = [path.relative_to(ROOT).as_posix() for path in ROOT.glob("src/*/*.h") if "_test" not in path.name]
    add_pointers(graph, files + headers)
    shipped = {caller: callees & graph.body.keys() for caller, callees in graph.edges.items()}
    found, bad = cycles(shipped), 0
    used = set()
    for part in found:
        fits = [pattern for pattern in ALLOWED if re.fullmatch(pattern, " ".join(part))]
        used.update(fits)
        if not fits:
            bad += 1
            print(f"recursion: {', '.join(part)}\n  such as {shortest(shipped, part)}")
    for pattern in ALLOWED.keys() - used:
        bad += 1
        print(f"no recursion, so tools/recursion.py need not allow it: {pattern}")
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
