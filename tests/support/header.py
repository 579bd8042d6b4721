#!/usr/bin/env python3
"""Programs made out of include/arpflux.h, so that no function of it can be forgotten.

    header.py refusals HEADER   a test that calls every function with NULL and with stale handles
    header.py style HEADER      whether enumerations and getters are of one style
    header.py stubs HEADER      C++ with an empty body for every function: what the ABI is described from
"""

import re
import sys

text = re.sub(r"/\*.*?\*/", "", open(sys.argv[2]).read(), flags=re.S)
text = re.sub(r"^\s*(#|//).*$", "", text, flags=re.M).replace("ARPFLUX_MUST_USE ", "")
declared = re.compile(r"^([a-z_][\w ]*?[ *]+)(arpflux_\w+)\(([^;{}]*)\);", re.M)
callbacks = set(re.findall(r"\(\*(arpflux_\w+_fn)\)", text))
structs = set(re.findall(r"^typedef struct (arpflux_\w+) \{", text, re.M))
functions = []
for result, name, arguments in declared.findall(text):
    if result.startswith("typedef"):
        continue
    arguments = [" ".join(argument.split()) for argument in arguments.split(",")]
    functions.append((result.strip(), name, [] if arguments == ["void"] else arguments))
if len(functions) < 100:
    sys.exit(f"only {len(functions)} functions were found in the header")
owned = {name[: -len("_free")] for _, name, _ in functions if name.endswith("_free")} - {"arpflux_string"}


def split(argument):
    """The type and the name of an argument."""
    name = re.search(r"\w+$", argument).group()
    return argument[: -len(name)].strip(), name


def stubs():
    print("// Made by tests/support/header.py.\n#include <arpflux.h>")
    print('extern "C" {')
    for result, name, arguments in functions:
        body = "" if result == "void" else f" return {result}();" if "*" not in result else " return nullptr;"
        print(f"{result} {name}({', '.join(arguments) or 'void'}) {{{body} }}")
    print("}")
    # What is only passed as a number is part of the ABI as well.
    for name, constants in re.findall(r"^typedef uint32_t (arpflux_\w+);\s*enum (\{.*?\});", text, re.M | re.S):
        print(f"namespace abi {{ enum {name} : uint32_t {constants}; }}")
        print(f'extern "C" {{ abi::{name} arpflux_abi_{name} = abi::{name}(); }}')


def refusals():
    print('/* Made by tests/support/header.py: every function with NULL and 0, and with handles that were freed. */')
    print('#include "arpflux.h"\n#include "check.h"\n')
    print("static unsigned char untouched[4096], expected[4096];")
    print("static void *stale;\n")
    print("static void refused(const char *name, bool failed, arpflux_error *err, bool has_err, bool is_free)\n{")
    print("    CHECK(failed);")
    print("    if (has_err && !is_free && arpflux_error_code(err) != ARPFLUX_CODE_INVALID_INPUT) {")
    print('        fprintf(stderr, "%s: %s\\n", name, err ? arpflux_error_text(err) : "no error was set");')
    print("        CHECK(0);\n    }")
    print("    CHECK(memcmp(untouched, expected, sizeof expected) == 0);")
    print("    arpflux_error_free(err);\n}\n")
    names = []
    for result, name, arguments in functions:
        # Nothing to refuse: no argument but the error, or a value that is none.
        kinds = [split(argument) for argument in arguments]
        inputs = [kind for kind, _ in kinds if kind != "arpflux_error **"]
        if not inputs or (result == "const char *" and inputs == ["uint32_t"]):
            continue
        handles = [kind.replace("const ", "").rstrip("*").strip() for kind in inputs if kind.count("*") == 1]
        first = handles[0] if handles else ""
        takes_null = name in OPTIONAL
        for what in ("null", "stale"):
            if what == "stale" and first not in owned and name != "arpflux_string_free":
                continue
            if what == "null" and takes_null:
                continue
            actual = []
            stale_given = False
            for kind, _ in kinds:
                base = kind.replace("const ", "").rstrip("*").strip()
                if kind == "arpflux_error **":
                    actual.append("&err")
                elif what == "stale" and not stale_given and "*" in kind and (
                    base in owned or name == "arpflux_string_free"
                ):
                    actual.append(f"({kind})stale")
                    stale_given = True
                elif "*" in kind and "const" not in kind and base not in owned and base not in ("void", "char"):
                    actual.append(f"({kind})(void *)untouched")  # an output
                elif "*" in kind or base in callbacks:
                    actual.append("NULL")
                elif base == "arpflux_ip":
                    actual.append("none")
                else:
                    actual.append("0")
            call = f"{name}({', '.join(actual)})"
            function = f"{name}_{what}"
            names.append(function)
            print(f"static void {function}(void)\n{{")
            print("    arpflux_error *err = NULL;")
            if "none" in actual:
                print("    arpflux_ip none = {0, {0}};")
            has_err = "true" if "&err" in actual else "false"
            if result == "void":
                print(f"    {call};\n    refused(\"{name}\", true, err, false, true);")
            elif "*" in result:
                print(f"    bool failed = {call} == NULL;")
                print(f"    refused(\"{name}\", failed, err, {has_err}, false);")
            elif result == "bool":
                print(f"    bool failed = !{call};\n    refused(\"{name}\", failed, err, {has_err}, false);")
            elif result == "arpflux_ip":
                print(f"    bool failed = {call}.family == 0;")
                print(f"    refused(\"{name}\", failed, err, {has_err}, false);")
            else:
                print(f"    bool failed = (int64_t){call} == (int64_t){SAYS.get(name, '0')};")
                print(f"    refused(\"{name}\", failed, err, {has_err}, false);")
            print("}\n")
    print("int main(void)\n{")
    print("    memset(untouched, 0xa5, sizeof untouched);\n    memcpy(expected, untouched, sizeof expected);")
    print("    arpflux_stop *stop = arpflux_stop_new(NULL);\n    stale = stop;\n    arpflux_stop_free(stop);")
    for name in names:
        print(f"    RUN({name});")
    print("    return report();\n}")


def style():
    faults = []
    names = {name for _, name, _ in functions}
    # 0 is no answer; where it means something by itself, that is said here.
    zero = {"arpflux_code": "ARPFLUX_CODE_OK", "arpflux_wire": "ARPFLUX_WIRE_NONE"}
    enumerations = re.findall(r"^typedef uint32_t (arpflux_\w+);\s*enum \{\s*(\w+) = (\d+),", text, re.M)
    if len(enumerations) != len(re.findall(r"^enum \{", text, re.M)):
        faults.append("an enumeration is written in another way")
    for name, first, value in enumerations:
        allowed = [name.upper() + end for end in ("_UNKNOWN", "_UNDETERMINED")]
        if value != "0" or first != zero.get(name, first if first in allowed else None):
            faults.append(f"{name} begins with {first} = {value}")
        if name + "_name" not in names:
            faults.append(f"there is no {name}_name")
    for result, name, _ in functions:
        if "*" not in result:
            continue
        lent, of = result.startswith("const "), result.replace("const ", "").rstrip(" *")
        if lent and (name.endswith("_to_json") or of in owned):
            faults.append(f"{name} lends what others give away")
        if not lent and not name.endswith("_to_json") and of not in owned:
            faults.append(f"{name} gives away what others lend")
    if faults:
        sys.exit("\n".join(faults))


# What these give for NULL, where that is not 0.
SAYS = {
    "arpflux_watch_fd": "-1",
    "arpflux_matrix_wire_at": "(size_t)-1",
}
# With nothing but NULL and 0 these have something to give.
OPTIONAL = {"arpflux_host_open_fd", "arpflux_segments_to_json"}

{"refusals": refusals, "style": style, "stubs": stubs}[sys.argv[1]]()
