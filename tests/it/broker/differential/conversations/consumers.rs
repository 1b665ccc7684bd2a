//! The life of a group of the new protocol (KIP-848): members that join, share, are fenced, come back and leave; and
//! the way between the protocols.

use super::consumer_words::{One, beat, committed_as, describe_consumers, hurry};
use super::player::Player;
use super::topic;
use super::words::{
    Member, Terms, assignment, await_state, begin_join, commit, committed, delete, delete_offsets,
    describe, heartbeat, join, leave, list, sync,
};

const RANGE: (&str, &str) = ("consumer", "range");

pub(super) fn play(player: &mut Player) {
    let name = topic::make(player);
    let group = format!("consumers{}", player.suffix);
    hurry(player, &group);
    player.ask("describe nobody", describe_consumers(&group));
    let mut first = One::new(player, &group, "first", &name);
    refused(player, &first);
    first.told(&player.ask("first joins", beat(&first.joining())));
    look(player, "one", &group);
    claims(player, &first, &name);
    let second = share(player, &mut first, &name);
    player.ask("first leaves", beat(&first.leaving(-1)));
    player.ask("first leaves again", beat(&first.leaving(-1)));
    player.ask("commit as one that left", commit(&first.member(), (&name, 0), 9));
    look(player, "left", &group);
    player.ask("second gets all", beat(&second.owning(&[1])));
    player.ask("second has all", beat(&second.at(3).owning(&[0, 1])));
    look(player, "alone", &group);
    player.ask("second leaves", beat(&second.leaving(-1)));
    look(player, "nobody", &group);
    player.ask("commit from outside", commit(&Member::new(&group), (&name, 0), 11));
    player.ask("committed in the end", committed(&group, (&name, &[0, 1]), false));
    player.ask("delete", delete(&group));
    player.ask("delete again", delete(&group));
    look(player, "deleted", &group);
    topic::unmake(player, &name);
}

/// What is said of the group in every way.
fn look(player: &mut Player, when: &str, group: &str) {
    player.ask(&format!("{when}: describe"), describe_consumers(group));
    player.ask(&format!("{when}: describe as classic"), describe(group));
    player.ask(&format!("{when}: list"), list(&[], &[]));
    player.ask(&format!("{when}: list consumers"), list(&[], &["Consumer"]));
    player.ask(&format!("{when}: list classic"), list(&[], &["classic"]));
    player.ask(&format!("{when}: list stable"), list(&["stable"], &[]));
}

/// Heartbeats that make no sense, before there is a group.
fn refused(player: &mut Player, one: &One) {
    let full = || one.joining();
    for (what, asked) in [
        ("of no group", One { group: String::new(), ..full() }),
        ("of a blank group", One { group: " ".to_owned(), ..full() }),
        ("without a timeout", One { timeout_ms: -1, ..full() }),
        ("without owned partitions", One { owned: None, ..full() }),
        ("with owned partitions", full().owning(&[0])),
        ("without topics", One { topics: None, ..full() }),
        ("of a blank instance", One { instance: Some(""), ..full() }),
        ("with an unknown assignor", One { assignor: Some("sticky"), ..full() }),
        ("that leaves for a while without an instance", full().at(-2)),
        ("in no epoch", full().at(-3)),
        ("in an epoch of no group", one.at(5)),
        ("that leaves no group", one.leaving(-1)),
        ("without an id in an epoch", One { id: "", ..one.at(5) }),
    ] {
        player.ask(&format!("heartbeat {what}"), beat(&asked));
    }
}

/// Who may do what while there is one member.
fn claims(player: &mut Player, one: &One, name: &str) {
    let group = one.group.as_str();
    for (who, asked) in [
        ("first", one.clone()),
        ("first in an epoch to come", one.at(one.epoch + 1)),
        ("first that says all", One { owned: Some(vec![0, 1]), ..one.full() }),
        ("a stranger", One { id: "stranger", ..one.clone() }),
        ("a stranger that leaves", One { id: "stranger", ..one.leaving(-1) }),
        ("an instance that nobody knows", One { instance: Some("x"), ..one.clone() }),
    ] {
        player.ask(&format!("heartbeat of {who}"), beat(&asked));
    }
    let member = one.member();
    for (who, claim) in [
        ("first", member.clone()),
        ("first in an epoch before", member.later(-1)),
        ("first in an epoch to come", member.later(1)),
        ("somebody", member.named("somebody")),
        ("a stranger", Member::new(group)),
        ("first without an epoch", Member::new(group).named(&member.id)),
    ] {
        player.ask(&format!("commit of {who}"), commit(&claim, (name, 0), 5));
        player.ask(&format!("committed for {who}"), committed_as(&claim, (name, &[0, 1])));
    }
    player.ask("committed for nobody", committed(group, (name, &[0, 1]), false));
    player.ask("heartbeat of a classic member", heartbeat(&member));
    player.ask("sync of a classic member", sync(&member, RANGE, &[]));
    player.ask("delete with a member", delete(group));
    player.ask("delete offsets that are read", delete_offsets(group, &[name]));
    player.ask("delete offsets of none", delete_offsets(group, &["absent-topic"]));
}

/// A second member comes: it gets what the first has given up.
fn share(player: &mut Player, first: &mut One, name: &str) -> One {
    let mut second = One::new(player, &first.group, "second", name);
    second.told(&player.ask("second joins", beat(&second.joining())));
    player.ask("both: describe", describe_consumers(&first.group));
    player.ask("second waits", beat(&second));
    let told = player.ask("first is to give up one", beat(first));
    first.told(&told);
    player.ask("both: describe while one is given up", describe_consumers(&first.group));
    player.ask("first is silent about what it has", beat(first));
    player.ask("first keeps all", beat(&first.owning(&[0, 1])));
    player.ask("second waits again", beat(&second));
    let kept: Vec<i32> = told.assignment.unwrap().topic_partitions[0].partitions.clone();
    assert_eq!(kept.len(), 1);
    first.told(&player.ask("first has given up one", beat(&first.owning(&kept))));
    player.ask("first has heard it", beat(first));
    player.ask("first has not heard it", beat(&first.at(first.epoch - 1).owning(&kept)));
    player.ask("first is far behind", beat(&first.at(first.epoch - 1)));
    second.told(&player.ask("second gets one", beat(&second)));
    player.ask("both: describe what they have", describe_consumers(&first.group));
    let behind = first.at(first.epoch - 1).member();
    player.ask("commit in an epoch before", commit(&behind, (name, kept[0]), 6));
    player.ask(
        "commit what the other has, in an epoch before",
        commit(&behind, (name, 1 - kept[0]), 7),
    );
    player.ask("committed in an epoch before", committed_as(&behind, (name, &[0, 1])));
    player.ask("commit of second", commit(&second.member(), (name, 1 - kept[0]), 8));
    second
}

/// Members with an instance id.
pub(super) fn play_static(player: &mut Player) {
    let name = topic::make(player);
    let group = format!("static-consumers{}", player.suffix);
    hurry(player, &group);
    let mut first = One { instance: Some("one"), ..One::new(player, &group, "first", &name) };
    let mut again = One { id: "again", ..first.clone() };
    first.told(&player.ask("first joins", beat(&first.joining())));
    player.ask("the instance is taken", beat(&again.joining()));
    player.ask("another in its epoch", beat(&again.at(first.epoch)));
    player.ask("another leaves", beat(&again.leaving(-1)));
    player.ask("first without its instance", beat(&One { instance: None, ..first.clone() }));
    player.ask("first leaves for a while", beat(&first.leaving(-2)));
    player.ask("describe who is away", describe_consumers(&group));
    player.ask("first in its epoch", beat(&first));
    player.ask("commit of who is away", commit(&first.member(), (&name, 0), 1));
    again.told(&player.ask("it comes back as another", beat(&again.joining())));
    player.ask("describe who is back", describe_consumers(&group));
    player.ask("first is fenced", beat(&first));
    player.ask("it is alive", beat(&again));
    let member = Member::new(&group).fixed("one");
    player.ask("it is sent away by its instance", leave(&group, &[&member]));
    player.ask("describe nobody", describe_consumers(&group));
    player.ask("delete", delete(&group));
    topic::unmake(player, &name);
}

/// The way from the classic protocol to the new one, and back.
pub(super) fn play_moves(player: &mut Player) {
    let name = topic::make(player);
    let group = format!("moves{}", player.suffix);
    hurry(player, &group);
    let terms = Terms::consumer(&[&name]);
    let mut classic = Member::new(&group);
    let joining = begin_join(player, "classic joins", &classic, &terms);
    classic.told(&player.end(&joining));
    // Without it the two would be alike, and Kafka shares out among equals in the order of a hash.
    let one = assignment(&name, &[0]);
    player.ask("classic syncs with one", sync(&classic, RANGE, &[(&classic, &one)]));
    let mut first = One::new(player, &group, "first", &name);
    first.told(&player.ask("first joins a classic group", beat(&first.joining())));
    player.ask("describe as classic", describe(&group));
    player.ask("list", list(&[], &[]));
    player.ask("classic is called back", heartbeat(&classic));
    player.ask("classic commits", commit(&classic, (&name, 0), 3));
    classic.told(&player.ask("classic joins again", join(&classic, &terms)));
    player.ask("classic syncs", sync(&classic, ("consumer", "range"), &[]));
    player.ask("classic is alive", heartbeat(&classic));
    player.ask("classic is not of that generation", heartbeat(&classic.later(1)));
    player.ask("classic of another protocol", sync(&classic, ("consumer", "sticky"), &[]));
    player.ask("first leaves", beat(&first.leaving(-1)));
    await_state(player, &group, "PreparingRebalance");
    player.ask("describe what is classic again", describe(&group));
    player.ask("describe as consumers", describe_consumers(&group));
    player.ask("classic leaves", leave(&group, &[&classic]));
    player.ask("list the empty one", list(&[], &[]));
    first.told(&player.ask("first joins an empty classic group", beat(&first.joining())));
    player.ask("first leaves it", beat(&first.leaving(-1)));
    let mut last = Member::new(&group);
    let joining = begin_join(player, "classic joins an empty group", &last, &terms);
    last.told(&player.end(&joining));
    player.ask("list the classic one", list(&[], &[]));
    player.ask("last leaves", leave(&group, &[&last]));
    player.ask("delete", delete(&group));
    connect(player, &name);
    topic::unmake(player, &name);
}

/// A group that is not one of consumers stays what it is.
fn connect(player: &mut Player, name: &str) {
    let group = format!("connect-moves{}", player.suffix);
    let terms = Terms { kind: "connect", ..Terms::consumer(&[name]) };
    let mut worker = Member::new(&group);
    let joining = begin_join(player, "a worker joins", &worker, &terms);
    worker.told(&player.end(&joining));
    let first = One::new(player, &group, "first", name);
    player.ask("first joins workers", beat(&first.joining()));
    player.ask("the worker leaves", leave(&group, &[&worker]));
    player.ask("delete the workers", delete(&group));
}
