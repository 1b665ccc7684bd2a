//! Transactions from their beginning to their end, what readers see of them, and producers that are fenced off.

use kafka_protocol::messages::ApiKey;

use super::player::Player;
use super::producer::{
    Producer, add, add_offsets, await_complete, commit_offset, describe, end, init, list,
};
use super::topic::{self, batch, describe_producers, fetch, list_offsets, produce};
use super::words::Member;

const NOBODY: topic::From = (-1, -1, -1);

pub(super) fn play(player: &mut Player) {
    let name = topic::make(player);
    let mut producer = Producer::new(&format!("transactions{}", player.suffix));
    player.ask("describe nobody", describe(&producer));
    producer.told(&player.ask("begin", init(&producer)));
    player.ask("describe empty", describe(&producer));
    player.ask("list empty", list(&["Empty"], Some(&producer)));
    player.ask("commit nothing", end(&producer, true));
    player.ask("abort nothing", end(&producer, false));
    open(player, &producer, &name);
    read(player, "open", &name);
    player.ask("commit", end(&producer, true));
    close(player, "committed", &producer, &name);
    let id = Some(producer.name.as_str());
    let next = batch((producer.id, producer.epoch, 4), 2, true);
    player.ask("produce after the end", produce((&name, 0), id, &next));
    player.ask("add again", add(&producer, &[(&name, 0)]));
    player.ask("produce again", produce((&name, 0), id, &next));
    player.ask("a duplicate of it", produce((&name, 0), id, &next));
    player.ask("somebody else between", produce((&name, 0), None, &batch(NOBODY, 1, false)));
    player.ask("abort", end(&producer, false));
    close(player, "aborted", &producer, &name);
    player.ask("add for nothing", add(&producer, &[(&name, 0), (&name, 1)]));
    player.ask("commit an empty one", end(&producer, true));
    await_complete(player, &producer);
    player.ask("describe what was empty", describe(&producer));
    player.ask("fetch behind it", fetch((&name, 0), 12, 1));
    topic::unmake(player, &name);
}

/// Opens a transaction with records of two partitions, and others beside it.
fn open(player: &mut Player, producer: &Producer, name: &str) {
    let id = Some(producer.name.as_str());
    let of = |sequence| (producer.id, producer.epoch, sequence);
    player.ask("produce outside", produce((name, 0), id, &batch(of(0), 2, true)));
    player.ask("describe nothing produced", describe_producers(name));
    player.ask("add no partition", add(producer, &[(name, 9)]));
    player.ask("add one and no topic", add(producer, &[(name, 0), ("absent-topic", 0)]));
    player.ask("describe after refusals", describe(producer));
    player.ask("add nothing", add(producer, &[]));
    player.ask("describe after nothing", describe(producer));
    player.ask("somebody else before", produce((name, 0), None, &batch(NOBODY, 1, false)));
    player.ask("add", add(producer, &[(name, 0)]));
    player.ask("add what is there", add(producer, &[(name, 0)]));
    player.ask("describe open", describe(producer));
    player.ask("list open", list(&["Ongoing"], Some(producer)));
    player.ask("list open and what is none", list(&["Ongoing", "Nonsense"], None));
    player.ask("list in small letters", list(&["ongoing"], Some(producer)));
    player.ask("list what is empty", list(&["Empty"], Some(producer)));
    player.ask("list another producer", list(&[], Some(&producer.strange())));
    player.ask("produce", produce((name, 0), id, &batch(of(0), 2, true)));
    player.ask("produce a duplicate", produce((name, 0), id, &batch(of(0), 2, true)));
    player.ask("produce with a gap", produce((name, 0), id, &batch(of(7), 2, true)));
    player.ask("produce elsewhere", produce((name, 1), id, &batch(of(0), 2, true)));
    player.ask("produce without an id", produce((name, 0), None, &batch(of(2), 2, true)));
    player.ask("produce plainly", produce((name, 0), id, &batch(of(2), 2, false)));
    player.ask("produce more", produce((name, 0), id, &batch(of(2), 2, true)));
    player.ask("add the other", add(producer, &[(name, 1), (name, 0)]));
    player.ask("produce there", produce((name, 1), id, &batch(of(0), 1, true)));
    player.ask("somebody else after", produce((name, 0), None, &batch(NOBODY, 3, false)));
    player.ask("describe two", describe(producer));
    player.ask("describe producers", describe_producers(name));
}

/// What readers see, of both isolation levels.
fn read(player: &mut Player, when: &str, name: &str) {
    for (level, isolation) in [("all", 0), ("committed", 1)] {
        for offset in [0, 3, 7] {
            let step = format!("{when}: fetch {level} from {offset}");
            player.ask(&step, fetch((name, 0), offset, isolation));
        }
        player.ask(&format!("{when}: fetch {level} there"), fetch((name, 1), 0, isolation));
        for (which, time) in [
            ("latest", -1),
            ("earliest", -2),
            ("highest time", -3),
            ("of a time", topic::time_ms() + 1),
            ("between records and markers", topic::time_ms() + 1000),
        ] {
            // The highest time can be asked for from version 7 on.
            if time == -3 && player.version(ApiKey::ListOffsets) < 7 {
                continue;
            }
            let step = format!("{when}: offset {which}, {level}");
            player.ask(&step, list_offsets(name, isolation, time));
        }
    }
}

/// What there is to see and to say after an end.
fn close(player: &mut Player, when: &str, producer: &Producer, name: &str) {
    await_complete(player, producer);
    player.ask(&format!("{when}: describe"), describe(producer));
    player.ask(&format!("{when}: list"), list(&["CompleteCommit"], Some(producer)));
    read(player, when, name);
    player.ask(&format!("{when}: describe producers"), describe_producers(name));
    player.ask(&format!("{when}: commit again"), end(producer, true));
    player.ask(&format!("{when}: abort again"), end(producer, false));
    player.ask(&format!("{when}: describe after that"), describe(producer));
}

pub(super) fn play_fencing(player: &mut Player) {
    let name = topic::make(player);
    let nobody = Producer::new(&format!("fencing{}", player.suffix));
    let mut first = nobody.clone();
    first.told(&player.ask("begin", init(&nobody)));
    let mut second = first.clone();
    second.told(&player.ask("begin again", init(&nobody)));
    refuse(player, "of before", &first, &name);
    refuse(player, "to come", &second.later(1), &name);
    refuse(player, "strange", &second.strange(), &name);
    player.ask("describe what is unharmed", describe(&second));
    player.ask("add", add(&second, &[(&name, 0)]));
    let of =
        |producer: &Producer, sequence| batch((producer.id, producer.epoch, sequence), 1, true);
    let id = Some(nobody.name.as_str());
    player.ask("produce", produce((&name, 0), id, &of(&second, 0)));
    refuse(player, "of before, while open", &first, &name);
    refuse(player, "to come, while open", &second.later(1), &name);
    // What is open is aborted, and its producer fenced off.
    let mut third = second.clone();
    third.told(&player.ask("begin while open", init(&nobody)));
    await_complete(player, &third);
    player.ask("describe after that", describe(&third));
    player.ask("fetch what was aborted", fetch((&name, 0), 0, 1));
    refuse(player, "fenced", &second, &name);
    player.ask(
        "produce plainly as fenced",
        produce((&name, 1), None, &batch((second.id, second.epoch, 0), 1, false)),
    );
    player.ask("describe producers", describe_producers(&name));
    let mut fourth = third.clone();
    fourth.told(&player.ask("begin as oneself", init(&third)));
    if player.version(ApiKey::InitProducerId) >= 3 {
        player.ask("begin as oneself, since the answer was lost", init(&third));
        player.ask("begin as the one before", init(&second));
    }
    player.ask("add as the fourth", add(&fourth, &[(&name, 0)]));
    player.ask("produce with a wrong beginning", produce((&name, 0), id, &of(&fourth, 3)));
    player.ask("produce as the fourth", produce((&name, 0), id, &of(&fourth, 0)));
    refuse(player, "the third, while open", &third, &name);
    player.ask("commit as the fourth", end(&fourth, true));
    await_complete(player, &fourth);
    player.ask("fetch at last", fetch((&name, 0), 0, 1));
    player.ask("describe producers at last", describe_producers(&name));
    topic::unmake(player, &name);
}

/// All that a producer may ask, by one that may not.
fn refuse(player: &mut Player, who: &str, producer: &Producer, name: &str) {
    let member = Member::new(&format!("fenced{}", player.suffix));
    let records = batch((producer.id, producer.epoch, 0), 1, true);
    let produced = produce((name, 0), Some(&producer.name), &records);
    player.ask(&format!("{who}: add"), add(producer, &[(name, 0)]));
    player.ask(&format!("{who}: produce"), produced);
    player.ask(&format!("{who}: add offsets"), add_offsets(producer, &member.group));
    player.ask(&format!("{who}: offset"), commit_offset(producer, &member, (name, 0), 1));
    player.ask(&format!("{who}: commit"), end(producer, true));
    player.ask(&format!("{who}: abort"), end(producer, false));
    // Before version 3 nobody says who he was. While something is open it is not asked: Kafka aborts that before it
    // looks at the epoch, the hub looks first.
    if !who.ends_with("open") && player.version(ApiKey::InitProducerId) >= 3 {
        player.ask(&format!("{who}: begin"), init(producer));
    }
}
