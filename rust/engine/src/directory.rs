//! User → connections, on the Python-facing side: fed by what Python submits, read by nobody else.
//!
//! Shards never look in here. A session costs a record and, with ids up to 24 bytes, no heap.

use crate::sys::monotonic_ns;
use crate::table::ConnId;
use crate::timer::NONE;
use compact_str::CompactString;
use hashbrown::HashTable;
use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;

#[derive(Debug)]
struct User {
    id: CompactString,
    /// First of the user's sessions; `NONE` marks a free record.
    sessions: u32,
}

/// A connected device.
#[derive(Debug)]
pub struct Session {
    /// Its connection.
    pub conn: ConnId,
    user: u32,
    next: u32,
    /// Its name, unique for the user.
    pub device: CompactString,
    /// New events are pushed to it from this submission on, and its position is the user's head.
    pub live: Option<NonZeroU64>,
}

/// A session that has ended.
#[derive(Debug)]
pub struct Departed {
    user: CompactString,
    /// Its connection.
    pub conn: ConnId,
    /// Its name.
    pub device: CompactString,
    /// See [`Session::live`], at its end.
    pub live: Option<NonZeroU64>,
    /// When the directory heard of it, monotonic.
    pub at_ns: u64,
}

/// Sessions that have ended and are remembered, for who asks what became of a message.
const DEPARTED: usize = 4_096;

/// All sessions of the node.
#[derive(Debug, Default)]
pub struct Directory {
    /// Seeded, because clients choose the keys.
    hasher: RandomState,
    by_id: HashTable<u32>,
    users: Vec<User>,
    free_users: Vec<u32>,
    sessions: Vec<Session>,
    free_sessions: Vec<u32>,
    /// Sessions whose shard has not confirmed them: what it published before names no session.
    fresh: HashMap<u64, u32>,
    /// The newest ends.
    departed: VecDeque<Departed>,
}

impl Directory {
    /// A directory with room for so many sessions. It takes address space and no memory until they
    /// come: a list that grows by doubling would leave its former places behind, half its size.
    #[must_use]
    pub fn for_sessions(count: usize) -> Self {
        let (users, sessions) = (Vec::with_capacity(count), Vec::with_capacity(count));
        Self { users, sessions, ..Self::default() }
    }

    /// Registers a session. Returns its index and the connection that it replaces, if the user
    /// was connected with the same device.
    pub fn attach(&mut self, conn: ConnId, user: &str, device: &str) -> (u32, Option<ConnId>) {
        let replaced = self.session_of(user, device);
        let old = replaced.and_then(|index| {
            let conn = self.sessions.get(index as usize).map(|session| session.conn)?;
            self.detach(index, conn);
            Some(conn)
        });
        let user = self.user_or_new(user);
        let first = self.users.get(user as usize).map_or(NONE, |user| user.sessions);
        let session = Session { conn, user, next: first, device: device.into(), live: None };
        let index = place(&mut self.sessions, &mut self.free_sessions, session);
        if let Some(user) = self.users.get_mut(user as usize) {
            user.sessions = index;
        }
        self.fresh.insert(conn.get(), index);
        (index, old)
    }

    /// Forgets a session, if `index` still is the one of `conn`.
    pub fn detach(&mut self, index: u32, conn: ConnId) -> bool {
        if self.get(index, conn).is_none() {
            return false;
        }
        self.note_departed(index);
        self.fresh.remove(&conn.get());
        self.unlink(index);
        self.free_sessions.push(index);
        if let Some(session) = self.sessions.get_mut(index as usize) {
            session.conn = ConnId::from_number(0);
            session.device = CompactString::default();
        }
        true
    }

    fn note_departed(&mut self, index: u32) {
        let Some(session) = self.sessions.get(index as usize) else { return };
        let (conn, live, device) = (session.conn, session.live, session.device.clone());
        let user = self.users.get(session.user as usize).map(|user| user.id.clone());
        if self.departed.len() >= DEPARTED {
            self.departed.pop_front();
        }
        let (user, at_ns) = (user.unwrap_or_default(), monotonic_ns());
        self.departed.push_back(Departed { user, conn, device, live, at_ns });
    }

    /// The newest sessions of `user` that have ended, in that order.
    pub fn departed(&self, user: &str) -> impl Iterator<Item = &Departed> {
        self.departed.iter().filter(move |one| one.user == user)
    }

    fn unlink(&mut self, index: u32) {
        let Some(session) = self.sessions.get(index as usize) else { return };
        let (user, next) = (session.user, session.next);
        let first = self.users.get(user as usize).map_or(NONE, |user| user.sessions);
        if first != index {
            let mut at = first;
            while let Some(session) = self.sessions.get_mut(at as usize) {
                if session.next == index {
                    session.next = next;
                    return;
                }
                at = session.next;
            }
            return;
        }
        if let Some(record) = self.users.get_mut(user as usize) {
            record.sessions = next;
        }
        if next == NONE {
            self.drop_user(user);
        }
    }

    fn drop_user(&mut self, index: u32) {
        let Some(user) = self.users.get_mut(index as usize) else { return };
        let hash = self.hasher.hash_one(user.id.as_str());
        user.id = CompactString::default();
        if let Ok(entry) = self.by_id.find_entry(hash, |&at| at == index) {
            entry.remove();
        }
        self.free_users.push(index);
    }

    fn user_or_new(&mut self, id: &str) -> u32 {
        if let Some(index) = self.user(id) {
            return index;
        }
        let user = User { id: id.into(), sessions: NONE };
        let index = place(&mut self.users, &mut self.free_users, user);
        let Self { hasher, by_id, users, .. } = self;
        let hash_of =
            |&at: &u32| hasher.hash_one(users.get(at as usize).map_or("", |user| user.id.as_str()));
        by_id.insert_unique(hasher.hash_one(id), index, hash_of);
        index
    }

    fn user(&self, id: &str) -> Option<u32> {
        let same = |&at: &u32| self.users.get(at as usize).is_some_and(|user| user.id == id);
        self.by_id.find(self.hasher.hash_one(id), same).copied()
    }

    fn session_of(&self, user: &str, device: &str) -> Option<u32> {
        let mut index = self.first(user);
        while let Some(session) = self.sessions.get(index as usize) {
            if session.device == device {
                return Some(index);
            }
            index = session.next;
        }
        None
    }

    fn first(&self, user: &str) -> u32 {
        let user = self.user(user).and_then(|index| self.users.get(index as usize));
        user.map_or(NONE, |user| user.sessions)
    }

    /// Calls `each` with every session of `user`.
    pub fn for_each(&mut self, user: &str, mut each: impl FnMut(&mut Session)) {
        let mut index = self.first(user);
        while let Some(session) = self.sessions.get_mut(index as usize) {
            index = session.next;
            each(session);
        }
    }

    /// The users that have a session.
    pub fn users(&self) -> impl Iterator<Item = &str> {
        self.users.iter().filter(|user| user.sessions != NONE).map(|user| user.id.as_str())
    }

    /// All sessions, each with its user.
    pub fn sessions(&self) -> impl Iterator<Item = (&Session, &str)> {
        let taken = self.sessions.iter().filter(|session| session.conn.get() != 0);
        taken.map(|session| (session, self.user_of(session)))
    }

    /// The session at `index`, if it is the one of `conn`.
    #[must_use]
    pub fn get(&self, index: u32, conn: ConnId) -> Option<&Session> {
        self.sessions.get(index as usize).filter(|session| session.conn == conn)
    }

    /// The session of a connection that its shard may not know yet.
    #[must_use]
    pub fn fresh(&self, conn: ConnId) -> Option<u32> {
        self.fresh.get(&conn.get()).copied()
    }

    /// The shard names the session from now on.
    pub fn confirm(&mut self, conn: ConnId) {
        self.fresh.remove(&conn.get());
    }

    /// The user of a session.
    #[must_use]
    pub fn user_of(&self, session: &Session) -> &str {
        self.users.get(session.user as usize).map_or("", |user| user.id.as_str())
    }

    /// Sets whether events are pushed to the session of `conn`, which may have gone meanwhile, and
    /// from which submission on.
    pub fn set_live(&mut self, user: &str, conn: ConnId, live: Option<NonZeroU64>) {
        self.for_each(user, |session| {
            if session.conn == conn {
                session.live = live.map(|number| session.live.unwrap_or(number));
            }
        });
    }
}

fn place<T>(records: &mut Vec<T>, free: &mut Vec<u32>, record: T) -> u32 {
    if let Some(index) = free.pop() {
        if let Some(place) = records.get_mut(index as usize) {
            *place = record;
        }
        return index;
    }
    records.push(record);
    u32::try_from(records.len() - 1).unwrap_or(NONE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Key;

    fn conn(index: u32) -> ConnId {
        ConnId::new(0, Key { index, generation: 1 }, 0)
    }

    fn conns(directory: &mut Directory, user: &str) -> Vec<u32> {
        let mut found = Vec::new();
        directory.for_each(user, |session| found.push(session.conn.key().index));
        found.sort_unstable();
        found
    }

    #[test]
    fn devices_of_a_user_stand_beside_each_other() {
        let mut directory = Directory::default();
        directory.attach(conn(1), "ann", "phone");
        directory.attach(conn(2), "ann", "laptop");
        directory.attach(conn(3), "bob", "phone");
        assert_eq!(conns(&mut directory, "ann"), [1, 2]);
        assert_eq!(conns(&mut directory, "bob"), [3]);
        assert_eq!(conns(&mut directory, "eve"), []);
        assert_eq!(directory.users().collect::<Vec<_>>(), ["ann", "bob"]);
    }

    #[test]
    fn all_sessions_are_told_and_none_that_has_gone() {
        let mut directory = Directory::default();
        let (gone, _) = directory.attach(conn(1), "ann", "phone");
        directory.attach(conn(2), "bob", "laptop");
        directory.detach(gone, conn(1));
        let told = directory.sessions().map(|(session, user)| (session.conn, user.to_owned()));
        assert_eq!(told.collect::<Vec<_>>(), [(conn(2), "bob".to_owned())]);
    }

    #[test]
    fn the_same_device_replaces_its_older_connection() {
        let mut directory = Directory::default();
        let (first, none) = directory.attach(conn(1), "ann", "phone");
        let (_, replaced) = directory.attach(conn(2), "ann", "phone");
        assert_eq!((none, replaced), (None, Some(conn(1))));
        assert_eq!(conns(&mut directory, "ann"), [2]);
        assert!(!directory.detach(first, conn(1)), "the old one's end does not touch the new one");
        assert_eq!(conns(&mut directory, "ann"), [2]);
    }

    #[test]
    fn a_user_without_sessions_is_forgotten_and_its_records_reused() {
        let mut directory = Directory::default();
        for round in 1..1_000 {
            let (index, _) = directory.attach(conn(round), &format!("user-{round}"), "phone");
            assert!(directory.detach(index, conn(round)));
        }
        assert_eq!((directory.users.len(), directory.sessions.len()), (1, 1));
        assert_eq!(directory.users().count(), 0);
        assert_eq!(directory.by_id.len(), 0);
        assert!(directory.fresh.is_empty());
    }

    #[test]
    fn i8_who_has_gone_is_remembered_for_a_while() {
        let mut directory = Directory::default();
        let of = |directory: &Directory, user| {
            let told = directory.departed(user).map(|one| (one.conn, one.device.to_string()));
            told.collect::<Vec<_>>()
        };
        directory.attach(conn(1), "ann", "phone");
        directory.attach(conn(2), "ann", "phone");
        assert_eq!(of(&directory, "ann"), [(conn(1), "phone".to_owned())], "it was replaced");
        assert_eq!(of(&directory, "bob"), []);
        for round in 0..u32::try_from(DEPARTED).expect("small") + 10 {
            let (index, _) = directory.attach(conn(round), "bob", "desk");
            directory.detach(index, conn(round));
        }
        assert_eq!(directory.departed.len(), DEPARTED);
        assert_eq!(of(&directory, "ann"), []);
    }

    #[test]
    fn live_is_counted_from_where_it_became_so() {
        let mut directory = Directory::default();
        directory.attach(conn(1), "ann", "phone");
        let mut live_after = |number: Option<NonZeroU64>| {
            directory.set_live("ann", conn(1), number);
            let mut found = None;
            directory.for_each("ann", |session| found = session.live);
            found.map(NonZeroU64::get)
        };
        assert_eq!(live_after(NonZeroU64::new(5)), Some(5));
        assert_eq!(live_after(NonZeroU64::new(7)), Some(5), "it was so already");
        assert_eq!(live_after(None), None);
        assert_eq!(live_after(NonZeroU64::new(9)), Some(9));
    }

    #[test]
    fn any_of_several_sessions_can_go() {
        for gone in 0..3_u32 {
            let mut directory = Directory::default();
            let of = |n: u32| ["a", "b", "c"][n as usize];
            let ids: Vec<u32> = (0..3).map(|n| directory.attach(conn(n), "ann", of(n)).0).collect();
            assert!(directory.detach(ids[gone as usize], conn(gone)));
            let left: Vec<u32> = (0..3).filter(|&n| n != gone).collect();
            assert_eq!(conns(&mut directory, "ann"), left);
        }
    }

    #[test]
    fn a_directory_does_not_move_while_it_has_room() {
        let mut directory = Directory::for_sessions(100);
        directory.attach(conn(0), "u0", "phone");
        let places = |of: &Directory| (of.users.as_ptr(), of.sessions.as_ptr());
        let before = places(&directory);
        for number in 1..100 {
            directory.attach(conn(number), &format!("u{number}"), "phone");
        }
        assert_eq!(places(&directory), before);
    }

    #[test]
    fn i10_a_session_is_small() {
        assert!(size_of::<Session>() + size_of::<User>() <= 80);
    }
}
