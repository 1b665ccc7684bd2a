//! Members with an instance id: they come back to their place, and who has lost it is fenced off.

use kafka_protocol::messages::ApiKey;

use super::player::Player;
use super::topic;
use super::words::{
    Member, Terms, await_state, begin_join, commit, committed, delete, describe, heartbeat, join,
    leave, sync,
};

const RANGE: (&str, &str) = ("consumer", "range");

pub(super) fn play(player: &mut Player) {
    player.at_least(&[
        (ApiKey::JoinGroup, 5),
        (ApiKey::SyncGroup, 3),
        (ApiKey::Heartbeat, 3),
        (ApiKey::OffsetCommit, 7),
        (ApiKey::LeaveGroup, 3),
        (ApiKey::DescribeGroups, 4),
    ]);
    let name = topic::make(player);
    let group = format!("static{}", player.suffix);
    let (first, second) = arrive(player, &group, &name);
    let second = come_back(player, (&first, &second), &name);
    let first = lead_again(player, (&first, &second), &name);
    go(player, (&first, &second));
    topic::unmake(player, &name);
}

fn arrive(player: &mut Player, group: &str, name: &str) -> (Member, Member) {
    let terms = Terms::consumer(&[name]);
    let (mut first, mut second) =
        (Member::new(group).fixed("one"), Member::new(group).fixed("two"));
    player.ask("an id that nobody knows", join(&first.named("nobody"), &terms));
    let joining = begin_join(player, "first joins", &first, &terms);
    first.told(&player.end(&joining));
    player.ask("first syncs", sync(&first, RANGE, &[(&first, b"all")]));
    let joining = begin_join(player, "second joins", &second, &terms);
    await_state(player, group, "PreparingRebalance");
    first.told(&player.ask("first joins again", join(&first, &terms)));
    second.told(&player.end(&joining));
    let syncing = player.begin("second syncs", sync(&second, RANGE, &[]));
    player.ask("first assigns", sync(&first, RANGE, &[(&first, b"one"), (&second, b"two")]));
    player.end(&syncing);
    player.ask("describe both", describe(group));
    player.ask("heartbeat", heartbeat(&first));
    player.ask(
        "heartbeat without the instance",
        heartbeat(&Member { instance: None, ..first.clone() }),
    );
    player.ask("heartbeat of an unknown instance", heartbeat(&first.fixed("three")));
    player.ask("heartbeat of the other's instance", heartbeat(&first.fixed("two")));
    player.ask("commit", commit(&first, (name, 0), 1));
    player.ask(
        "commit without the instance",
        commit(&Member { instance: None, ..first.clone() }, (name, 0), 2),
    );
    (first, second)
}

/// The second restarts: nobody notices, but for the one that had its place.
fn come_back(player: &mut Player, (first, second): (&Member, &Member), name: &str) -> Member {
    let (group, terms) = (first.group.as_str(), Terms::consumer(&[name]));
    let old = second.clone();
    let mut second = second.clone();
    second.told(&player.ask("second restarts", join(&second.named(""), &terms)));
    player.ask("describe after the restart", describe(group));
    player.ask("first notices nothing", heartbeat(first));
    player.ask("second syncs again", sync(&second, RANGE, &[]));
    for (who, member) in [("old", old.clone()), ("unknown", old.fixed("three"))] {
        player.ask(&format!("heartbeat of the {who} one"), heartbeat(&member));
        player.ask(&format!("commit of the {who} one"), commit(&member, (name, 0), 3));
        player.ask(&format!("sync of the {who} one"), sync(&member, RANGE, &[]));
        player.ask(&format!("join of the {who} one"), join(&member, &terms));
        player.ask(&format!("leave of the {who} one"), leave(group, &[&member]));
    }
    let nameless = Member { instance: None, ..old };
    player.ask("heartbeat of the old id alone", heartbeat(&nameless));
    player.ask("commit of the old id alone", commit(&nameless, (name, 0), 3));
    player.ask("commit of the new one", commit(&second, (name, 1), 4));
    player.ask("committed", committed(group, (name, &[0, 1]), false));
    // With another subscription it cannot come back unnoticed, if that changes the protocol; this does not.
    let other = Terms::consumer(&[name, "another"]);
    second.told(&player.ask("second restarts with another topic", join(&second.named(""), &other)));
    player.ask("first notices nothing of the topic", heartbeat(first));
    player.ask("second syncs once more", sync(&second, RANGE, &[]));
    second
}

/// The leader restarts, and then joins once more to assign anew.
fn lead_again(player: &mut Player, (first, second): (&Member, &Member), name: &str) -> Member {
    let (group, terms) = (first.group.as_str(), Terms::consumer(&[name]));
    let (mut first, mut second) = (first.clone(), second.clone());
    first.told(&player.ask("first restarts", join(&first.named(""), &terms)));
    player.ask("describe after first", describe(group));
    player.ask("first syncs again", sync(&first, RANGE, &[(&first, b"x"), (&second, b"y")]));
    player.ask("second notices nothing", heartbeat(&second));
    let joining = player.begin("first wants to assign", join(&first, &terms));
    await_state(player, group, "PreparingRebalance");
    // While the group rebalances, a restart takes part in it.
    let old = second.clone();
    let again = player.begin("second restarts in the rebalance", join(&second.named(""), &terms));
    first.told(&player.end(&joining));
    second.told(&player.end(&again));
    player.ask("heartbeat of the one before", heartbeat(&old.later(1)));
    let syncing = player.begin("second syncs for first", sync(&second, RANGE, &[]));
    player.ask("first assigns anew", sync(&first, RANGE, &[(&first, b"1"), (&second, b"2")]));
    player.end(&syncing);
    player.ask("describe the new assignment", describe(group));
    first
}

fn go(player: &mut Player, (first, second): (&Member, &Member)) {
    let group = first.group.as_str();
    player.ask("leave with the other's instance", leave(group, &[&first.fixed("two")]));
    player.ask("leave as an unknown instance", leave(group, &[&first.named("").fixed("three")]));
    player.ask("second is sent away", leave(group, &[&second.named("")]));
    player.ask("second is sent away again", leave(group, &[&second.named("")]));
    player.ask("first hears of it", heartbeat(first));
    player.ask("first leaves", leave(group, &[first, &second.named("")]));
    player.ask("describe empty", describe(group));
    player.ask("heartbeat to nobody", heartbeat(first));
    player.ask("delete", delete(group));
}
