//! Offsets that are committed with a transaction.

use kafka_protocol::messages::ApiKey;

use super::player::Player;
use super::producer::{Producer, add_offsets, await_complete, commit_offset, describe, end, init};
use super::topic;
use super::words::{
    Member, Terms, begin_join, commit, committed, delete, delete_offsets,
    describe as describe_group, leave, list, sync,
};

pub(super) fn play(player: &mut Player) {
    // Since then a reader can ask for what is stable.
    player.at_least(&[(ApiKey::OffsetFetch, 7)]);
    let name = topic::make(player);
    let group = format!("transacted{}", player.suffix);
    let mut producer = Producer::new(&format!("offsets{}", player.suffix));
    producer.told(&player.ask("begin", init(&producer)));
    outside(player, &producer, &group, &name);
    let member = inside(player, &producer, &group, &name);
    player.ask("member leaves", leave(&group, &[&member]));
    player.ask("delete", delete(&group));
    topic::unmake(player, &name);
}

/// Looks at what is committed, stable or not.
fn look(player: &mut Player, when: &str, group: &str, name: &str) {
    player.ask(&format!("{when}: committed"), committed(group, (name, &[0, 1]), false));
    player.ask(&format!("{when}: committed and stable"), committed(group, (name, &[0, 1]), true));
}

/// A group without members.
fn outside(player: &mut Player, producer: &Producer, group: &str, name: &str) {
    let stranger = Member::new(group);
    let at = (name, 0);
    player.ask("commit without having added", commit_offset(producer, &stranger, at, 1));
    player.ask("add", add_offsets(producer, group));
    player.ask("add again", add_offsets(producer, group));
    player.ask("add without a name", add_offsets(producer, ""));
    player.ask("describe", describe(producer));
    player.ask("commit", commit_offset(producer, &stranger, at, 1));
    player.ask("commit to no partition", commit_offset(producer, &stranger, (name, 9), 1));
    player.ask("commit to no topic", commit_offset(producer, &stranger, ("absent-topic", 0), 1));
    player.ask("commit as somebody", commit_offset(producer, &stranger.named("x"), at, 2));
    player.ask(
        "commit with a generation",
        commit_offset(producer, &stranger.named("x").later(5), at, 3),
    );
    look(player, "open", group, name);
    player.ask("list while open", list(&[], &[]));
    player.ask("describe the group while open", describe_group(group));
    player.ask("delete while open", delete(group));
    player.ask("commit plainly beside", commit(&stranger, (name, 1), 10));
    look(player, "beside", group, name);
    player.ask("delete offsets while open", delete_offsets(group, &[name]));
    player.ask("end", end(producer, true));
    await_complete(player, producer);
    look(player, "ended", group, name);
    player.ask("commit after the end", commit_offset(producer, &stranger, at, 4));
    player.ask("add for an abort", add_offsets(producer, group));
    player.ask("commit before an abort", commit_offset(producer, &stranger, at, 5));
    look(player, "before the abort", group, name);
    player.ask("commit plainly under it", commit(&stranger, at, 6));
    look(player, "under it", group, name);
    player.ask("abort", end(producer, false));
    await_complete(player, producer);
    look(player, "aborted", group, name);
    player.ask("add to be late", add_offsets(producer, group));
    player.ask("commit to be late", commit_offset(producer, &stranger, at, 7));
    player.ask("commit plainly over it", commit(&stranger, at, 8));
    player.ask("end what is late", end(producer, true));
    await_complete(player, producer);
    look(player, "late", group, name);
}

/// A group with a member.
fn inside(player: &mut Player, producer: &Producer, group: &str, name: &str) -> Member {
    let mut member = Member::new(group);
    let at = (name, 0);
    let joining = begin_join(player, "member joins", &member, &Terms::consumer(&[name]));
    member.told(&player.end(&joining));
    player.ask("add before the assignment", add_offsets(producer, group));
    player.ask("commit before the assignment", commit_offset(producer, &member, at, 20));
    let all: [(&Member, &[u8]); 1] = [(&member, b"all")];
    player.ask("member syncs", sync(&member, ("consumer", "range"), &all));
    for (who, claim) in [
        ("member", member.clone()),
        ("member of before", member.later(-1)),
        ("member to come", member.later(1)),
        ("somebody", member.named("somebody")),
        ("a stranger", Member::new(group)),
        ("a stranger with a name", Member::new(group).named(&member.id)),
        ("an instance", member.fixed("instance")),
    ] {
        player.ask(&format!("commit of {who}"), commit_offset(producer, &claim, at, 21));
    }
    look(player, "with a member", group, name);
    player.ask("delete offsets that are read", delete_offsets(group, &[name]));
    player.ask("end with a member", end(producer, true));
    await_complete(player, producer);
    look(player, "in the end", group, name);
    member
}
