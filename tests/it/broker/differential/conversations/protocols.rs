//! What members agree on: protocols in common, and groups that are no consumers.

use bytes::Bytes;

use super::player::Player;
use super::topic;
use super::words::{
    Member, Terms, await_state, begin_join, commit, committed, delete, delete_offsets, describe,
    heartbeat, join, leave, list, subscription, sync,
};

fn terms(kind: &'static str, protocols: &[&'static str]) -> Terms {
    let one = |name: &&'static str| (*name, subscription(&["topic"]));
    Terms { kind, protocols: protocols.iter().map(one).collect() }
}

pub(super) fn play(player: &mut Player) {
    let group = format!("protocols{}", player.suffix);
    let (mut first, mut second) = (Member::new(&group), Member::new(&group));
    let wide = terms("consumer", &["range", "roundrobin", "sticky"]);
    let narrow = terms("consumer", &["roundrobin", "sticky"]);
    player.ask("join without a protocol", join(&first, &terms("consumer", &[])));
    player.ask("join without a type", join(&first, &terms("", &["range"])));
    let joining = begin_join(player, "first joins", &first, &wide);
    first.told(&player.end(&joining));
    player.ask("first syncs", sync(&first, ("consumer", "range"), &[(&first, b"all")]));
    player.ask("sync with another protocol", sync(&first, ("consumer", "sticky"), &[]));
    player.ask("sync with another type", sync(&first, ("connect", "range"), &[]));
    player.ask("join with nothing in common", join(&second, &terms("consumer", &["other"])));
    player.ask("join with another type", join(&second, &terms("connect", &["range"])));
    player.ask("join with nothing", join(&second, &terms("consumer", &[])));
    player.ask("first cannot change its type", join(&first, &terms("connect", &["range"])));
    let joining = begin_join(player, "second joins", &second, &narrow);
    await_state(player, &group, "PreparingRebalance");
    player.ask("third has only a protocol of first", join(&second, &terms("consumer", &["range"])));
    first.told(&player.ask("first joins again", join(&first, &wide)));
    second.told(&player.end(&joining));
    let agreed = ("consumer", "roundrobin");
    let syncing = player.begin("second syncs", sync(&second, agreed, &[]));
    player.ask("first assigns", sync(&first, agreed, &[(&first, b"a"), (&second, b"b")]));
    player.end(&syncing);
    player.ask("describe the agreement", describe(&group));
    // First has only what second does not have.
    player.ask("first gives up what is common", join(&first, &terms("consumer", &["range"])));
    player.ask("describe after that", describe(&group));
    player.ask("both leave", leave(&group, &[&first, &second]));
    player.ask("second leaves by itself", leave(&group, &[&second]));
    player.ask("describe who is left", describe(&group));
    let mut third = Member::new(&group);
    let other = terms("other", &["assignor"]);
    let joining = begin_join(player, "another type in the empty group", &third, &other);
    third.told(&player.end(&joining));
    player.ask("describe the other type", describe(&group));
    player.ask("third leaves", leave(&group, &[&third]));
    player.ask("delete", delete(&group));
}

pub(super) fn play_connect(player: &mut Player) {
    let name = topic::make(player);
    let group = format!("connect{}", player.suffix);
    let mut worker = Member::new(&group);
    let bytes = Bytes::from_static(b"\x00\x01not a subscription");
    let terms = Terms { kind: "connect", protocols: vec![("sessioned", bytes)] };
    player.ask("commit before there is a member", commit(&worker, (&name, 0), 3));
    player.ask("list offsets alone", list(&[], &[]));
    player.ask("describe offsets alone", describe(&group));
    player.ask(
        "commit as a member of offsets alone",
        commit(&worker.named("x").later(3), (&name, 0), 4),
    );
    player.ask("heartbeat to offsets alone", heartbeat(&worker.named("x").later(3)));
    player.ask("join offsets alone as somebody", join(&worker.named("x"), &terms));
    player.ask("leave offsets alone", leave(&group, &[&worker.named("x")]));
    player.ask("describe offsets alone again", describe(&group));
    let joining = begin_join(player, "worker joins", &worker, &terms);
    worker.told(&player.end(&joining));
    let agreed = ("connect", "sessioned");
    player.ask("worker syncs", sync(&worker, agreed, &[(&worker, b"\0\x01tasks")]));
    player.ask("describe connect", describe(&group));
    player.ask("list connect", list(&["Stable"], &["classic"]));
    player.ask("heartbeat", heartbeat(&worker));
    player.ask("commit of the worker", commit(&worker, (&name, 1), 3));
    player.ask("committed", committed(&group, (&name, &[0, 1]), false));
    player.ask("delete offsets", delete_offsets(&group, &[&name]));
    player.ask("delete", delete(&group));
    player.ask("worker leaves", leave(&group, &[&worker]));
    player.ask("delete offsets when empty", delete_offsets(&group, &[&name]));
    player.ask("delete when empty", delete(&group));
    topic::unmake(player, &name);
}
