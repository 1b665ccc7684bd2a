//! The examples below each command's help.

pub(super) const MAIN: &str = "\
Examples:
  anabranch check config/quickstart.yaml      what would run, or what is wrong
  anabranch run config/quickstart.yaml        run it
  anabranch consume app-logs --follow         watch records arrive
  anabranch topics list                       what is kept

Exit codes: 0 done, 1 failed, 2 the configuration or the arguments are wrong";

pub(super) const RUN: &str = "\
Examples:
  anabranch run                               with ./anabranch.yaml or /etc/anabranch/anabranch.yaml
  anabranch run /etc/anabranch/conf.d         every *.yaml file of a folder
  ANABRANCH_CONFIG=my.yaml anabranch run

Stop it with SIGTERM; let it read its configuration again with SIGHUP.";

pub(super) const CHECK: &str = "\
Examples:
  anabranch check my.yaml                     every mistake at once, with line and column
  anabranch check my.yaml --connect           also try the sinks, the hub and the ports";

pub(super) const CONSUME: &str = "\
Examples:
  anabranch consume app-logs                  everything that is kept, then stop
  anabranch consume app-logs -f --from end    only what comes from now on
  anabranch consume app-logs --from 15m --format json
  anabranch consume app-logs --from 2026-11-20T08:00:00Z --count 10 --headers
  anabranch consume '^web-.*' --group reader  as a member of a group, which goes on where it was
  anabranch consume t --format '%t/%p@%o %k=%v\\n'
  anabranch consume t --bootstrap kafka:9092 --option security.protocol=SSL
  anabranch consume t --bootstrap kafka:9092 --options-file client.properties   name=value, secrets among them

In --format: %t topic, %p partition, %o offset, %T time, %k key, %v value, %h headers, %% percent, \\n, \\t";

pub(super) const PRODUCE: &str = "\
Examples:
  echo hello | anabranch produce events
  printf 'user-7:signed in\\n' | anabranch produce events --key-separator :
  anabranch produce events --file lines.txt --header origin=backfill
  anabranch produce events --bootstrap kafka:9092 < lines.txt

While an agent has the data folder, records go through its API, and are stored all the same.";

pub(super) const TOPICS: &str = "\
Examples:
  anabranch topics list
  anabranch topics describe app-logs --json
  anabranch topics create app-logs --partitions 4
  anabranch topics delete app-logs --yes";

pub(super) const GROUPS: &str = "\
Examples:
  anabranch groups list
  anabranch groups describe search            committed, end and lag of each partition
  anabranch groups reset search --topic app-logs --to earliest --dry-run
  anabranch groups reset search --topic app-logs --to 2026-11-20T08:00:00Z --yes
  anabranch groups reset search --topic app-logs --to offset 4711 --partition 0 --yes
  anabranch groups reset search --topic app-logs --to shift -1000 --yes
  anabranch groups delete old-reader --yes

A sink's name is its group. A sink of the running agent goes on from where its group is moved to; stop the agent
before deleting the group of one of its sinks.";

pub(super) const SINKS: &str = "\
Examples:
  anabranch sinks list                        how each sink is, and why it fails
  anabranch sinks pause search                stop it where it is; what comes is kept for it
  anabranch sinks resume search

A sink that is paused stays so over restarts. Its records are kept as for one that is away.";

pub(super) const DLQ: &str = "\
Examples:
  anabranch dlq list                          dead letters of every sink
  anabranch dlq show search --count 5         records, and why they were refused
  anabranch dlq show search --reason mapper_parsing_exception --since 2h
  anabranch dlq replay search                 give them to their topics again
  anabranch dlq replay search --reason \"HTTP 400\"
  anabranch dlq replay search --to archive    give them to one sink alone, the same or another
  anabranch dlq purge search --yes            delete those that were replayed
  anabranch dlq purge search --before 7d --yes

A replay goes on where the last one stopped, also when it was killed (group <sink>.dlq-replay). What --reason, --since and --before do not name
goes behind those that there are, and waits for the next.";

pub(super) const LEDGER: &str = "\
Examples:
  anabranch ledger                            of the agent with ./anabranch.yaml, running or not
  anabranch ledger my.yaml --format json
  anabranch ledger --data-dir /var/lib/anabranch --verify   counted anew from the log

Exit codes: 0 everything balances, 1 something is missing, 2 the configuration or the arguments are wrong";

pub(super) const LOG: &str = "\
Examples:
  anabranch log verify ./data                 read everything back; exit code 1 when something is damaged
  anabranch log dump ./data app-logs --count 10
  anabranch log dump ./data app-logs --batches

Both only read, and work beside a running agent.";

pub(super) const VERSION: &str = "\
Examples:
  anabranch version                           as --version";

pub(super) const COMPLETIONS: &str = "\
Examples:
  anabranch completions bash > /etc/bash_completion.d/anabranch
  anabranch completions zsh > \"${fpath[1]}/_anabranch\"
  anabranch completions fish > ~/.config/fish/completions/anabranch.fish";

pub(super) const BENCH: &str = "\
Examples:
  anabranch bench                          every case, with 1 GB of 200-byte lines
  anabranch bench store file --json        two cases, for a program
  anabranch bench kafka --bootstrap 127.0.0.1:9092
  anabranch bench latency --dir /var/tmp   on another disk

CPU seconds are those of the agent alone, in a process of its own. On a shared machine compare them with
something that ran beside it: benches/compare prints a table beside the yardstick.";
