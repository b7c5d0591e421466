# Bare `just` lists what there is. Everything works through ./mim as well, which needs nothing installed.

[private]
default:
    @just --list --unsorted

[doc("Run the whole system; `just up --sandbox` with emulated messengers")]
[group("run")]
up *arguments:
    ./mim up {{ arguments }}

[doc("Run one service against MIM_NATS_URL")]
[group("run")]
run service:
    ./mim run {{ service }}

[doc("Run the tests; arguments go to pytest")]
[group("check")]
test *arguments:
    ./mim test {{ arguments }}

[doc("Style, types, import rules, lock file")]
[group("check")]
check:
    ./mim check

[doc("Run the benchmarks; `just bench --smoke` in a small size")]
[group("check")]
bench *arguments:
    ./mim bench {{ arguments }}

[doc("What CI runs")]
[group("check")]
ci:
    .ci/run

[doc("Format the code")]
[group("change")]
format:
    .venv/bin/ruff format
    .venv/bin/ruff check --fix

[doc("Accept changed message schemas")]
[group("change")]
accept-schemas:
    MIM_UPDATE_SNAPSHOTS=1 ./mim test tests/contract

[doc("Update the lock file")]
[group("change")]
lock:
    UV_PYTHON_DOWNLOADS=never .venv/bin/uv lock
