//! Topic → connections of one shard: publishing to any number of readers is one order.

use crate::table::{Line, Subscription, Table, flag};
use std::collections::HashMap;

/// The subscription table of a shard.
#[derive(Debug, Default)]
pub struct Topics {
    by_name: HashMap<Box<str>, u32>,
    records: Vec<Topic>,
    free: Vec<u32>,
}

#[derive(Debug, Default)]
struct Topic {
    name: Box<str>,
    /// Slots, in no order.
    readers: Vec<u32>,
}

impl Topics {
    /// Adds the connection in slot `index` to a topic; twice is once.
    pub fn subscribe(&mut self, table: &mut Table, index: u32, name: &str) {
        let topic = match self.by_name.get(name) {
            Some(&topic) => topic,
            None => self.open(name),
        };
        let (Some(slot), Some(entry)) = (table.at(index), self.records.get_mut(topic as usize))
        else {
            return;
        };
        let topics = &mut slot.line.extra().topics;
        if topics.iter().any(|open| open.topic == topic) {
            return;
        }
        let place = u32::try_from(entry.readers.len()).unwrap_or(u32::MAX);
        topics.push(Subscription { topic, place, missed: false });
        entry.readers.push(index);
    }

    fn open(&mut self, name: &str) -> u32 {
        let fresh = Topic { name: name.into(), readers: Vec::new() };
        let topic = self.free.pop().unwrap_or_else(|| {
            self.records.push(Topic::default());
            u32::try_from(self.records.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(place) = self.records.get_mut(topic as usize) {
            *place = fresh;
        }
        self.by_name.insert(name.into(), topic);
        topic
    }

    /// Takes the connection in slot `index` out of a topic.
    pub fn unsubscribe(&mut self, table: &mut Table, index: u32, name: &str) {
        let Some(&topic) = self.by_name.get(name) else { return };
        let Some(extra) = table.at(index).and_then(|slot| slot.line.extra.as_mut()) else { return };
        if let Some(at) = extra.topics.iter().position(|open| open.topic == topic) {
            let open = extra.topics.swap_remove(at);
            self.leave(table, open);
        }
    }

    /// Takes the connection in slot `index` out of all its topics: it is about to be reaped.
    pub fn forget(&mut self, table: &mut Table, index: u32) {
        let extra = table.at(index).and_then(|slot| slot.line.extra.as_mut());
        let open = extra.map(|extra| std::mem::take(&mut extra.topics)).unwrap_or_default();
        for open in open {
            self.leave(table, open);
        }
    }

    fn leave(&mut self, table: &mut Table, open: Subscription) {
        let Subscription { topic, place, .. } = open;
        let Some(entry) = self.records.get_mut(topic as usize) else { return };
        if (place as usize) < entry.readers.len() {
            entry.readers.swap_remove(place as usize);
        }
        // Whoever moved into the gap learns of its new place.
        if let Some(&moved) = entry.readers.get(place as usize) {
            let extra = table.at(moved).and_then(|slot| slot.line.extra.as_mut());
            let places = extra.map(|extra| extra.topics.iter_mut());
            if let Some(own) = places.into_iter().flatten().find(|own| own.topic == topic) {
                own.place = place;
            }
        }
        if entry.readers.is_empty() {
            self.by_name.remove(&*entry.name);
            entry.readers = Vec::new();
            self.free.push(topic);
        }
    }

    /// The topic called `name` and the slots that have it open, if there are any.
    #[must_use]
    pub fn readers(&self, name: &str) -> Option<(u32, &[u32])> {
        let &topic = self.by_name.get(name)?;
        Some((topic, &self.records.get(topic as usize)?.readers))
    }

    /// The names of the topics of which `line` missed publications; they count as told now.
    pub fn told<'t>(&'t self, line: &'t mut Line) -> impl Iterator<Item = &'t str> {
        let open = line.extra.iter_mut().flat_map(|extra| extra.topics.iter_mut());
        let missed = open.filter_map(|open| std::mem::take(&mut open.missed).then_some(open.topic));
        missed.filter_map(|topic| Some(&*self.records.get(topic as usize)?.name))
    }
}

/// Remembers that a publication of `topic` was dropped for `line`.
pub fn miss(line: &mut Line, topic: u32) {
    let open = line.extra.iter_mut().flat_map(|extra| extra.topics.iter_mut());
    if let Some(open) = open.into_iter().find(|open| open.topic == topic) {
        open.missed = true;
        line.set(flag::MISSED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mio::net::TcpStream;

    fn given(connections: u32) -> (Topics, Table) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let mut table = Table::default();
        for _ in 0..connections {
            table.insert(TcpStream::connect(address).expect("a socket"), 0, 0).expect("room");
        }
        (Topics::default(), table)
    }

    fn readers(topics: &Topics, name: &str) -> Vec<u32> {
        let mut readers = topics.readers(name).map_or(&[][..], |(_, readers)| readers).to_vec();
        readers.sort_unstable();
        readers
    }

    #[test]
    fn subscribing_twice_is_once() {
        let (mut topics, mut table) = given(1);
        topics.subscribe(&mut table, 0, "news");
        topics.subscribe(&mut table, 0, "news");
        assert_eq!(readers(&topics, "news"), [0]);
    }

    #[test]
    fn places_stay_right_whoever_leaves() {
        let (mut topics, mut table) = given(4);
        (0..4).for_each(|index| topics.subscribe(&mut table, index, "news"));
        (1..4).for_each(|index| topics.subscribe(&mut table, index, "sport"));
        topics.unsubscribe(&mut table, 0, "news");
        topics.forget(&mut table, 3);
        topics.forget(&mut table, 1);
        assert_eq!(readers(&topics, "news"), [2]);
        assert_eq!(readers(&topics, "sport"), [2]);
        topics.forget(&mut table, 2);
        assert_eq!(readers(&topics, "news"), []);
        assert!(topics.by_name.is_empty(), "an empty topic costs nothing");
        topics.subscribe(&mut table, 0, "again");
        assert_eq!(topics.records.len(), 2, "its record is used again");
    }

    #[test]
    fn what_was_missed_is_told_once_and_forgotten_with_its_topic() {
        let (mut topics, mut table) = given(2);
        for name in ["news", "sport", "music"] {
            (0..2).for_each(|index| topics.subscribe(&mut table, index, name));
        }
        for name in ["news", "sport", "sport"] {
            let topic = topics.readers(name).expect("it has readers").0;
            miss(&mut table.at(0).expect("a slot").line, topic);
        }
        topics.unsubscribe(&mut table, 0, "news");
        topics.subscribe(&mut table, 0, "news");
        let mut told = |index| {
            let line = &mut table.at(index).expect("a slot").line;
            let names = topics.told(line).collect::<Vec<_>>().concat();
            (line.clear(flag::MISSED), names)
        };
        assert_eq!(told(0), (true, "sport".to_owned()));
        assert_eq!(told(0), (false, String::new()));
        assert_eq!(told(1), (false, String::new()), "the other reader missed nothing");
    }
}
