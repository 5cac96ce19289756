//! What breaks for longer, and its repair: brokers, all of them, the topic.
//!
//! Invariant: after [`World::heal`] all is well and stays so; what is wrong then is the client's fault.

use std::rc::Rc;

use crate::cluster::{Door, Node, PartitionId, State};
use crate::faults::Faults;
use crate::plan::one_of;
use crate::time::{MS, SECOND};
use crate::world::{Happening, World};

/// What is repaired.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Repair {
    Restart(i32),
    Thaw(i32),
    Accept(i32),
    CreateTopic(usize),
}

impl World {
    pub(crate) fn crash(&mut self, id: i32, unclean: bool) {
        let back = self.a_while();
        let noticed = self.rng.u64(0..10 * SECOND);
        let told = self.rng.u8(0..3) != 0;
        self.after(back, Happening::Repair(Repair::Restart(id)));
        self.after(noticed, Happening::NoticeLoss(id, unclean));
        self.kill(id, told);
        // What only the leader had may have been in its page cache.
        for partition in self.cluster.partition_ids() {
            let p = self.cluster.partition(partition);
            if p.leader == Some(id) && !told {
                let (least, most) = (p.high_watermark, p.log.len());
                let end = self.rng.usize(least..=most);
                let lost = self.cluster.partition(partition).lose_tail(end);
                self.cut_off(&lost, true);
            }
        }
    }

    /// A broker is no more. `told`: its clients' connections end; else they fall silent.
    fn kill(&mut self, id: i32, told: bool) {
        let node = self.node(id);
        if node.state != State::Retired {
            node.state = State::Down;
        }
        for connection in self.standing_connections() {
            if self.connections[&connection].node == id {
                if told {
                    self.cut(connection, "connection reset: the broker died");
                }
                self.silence(connection);
            }
        }
        for connection in self.connections.values_mut() {
            if connection.node == id {
                connection.forget();
            }
        }
        self.settle_waiting();
    }

    pub(crate) fn delete_topic(&mut self) {
        let Some(topic) = self.cluster.current.take() else {
            return;
        };
        let partitions = self.cluster.topics[topic].partitions.len();
        for index in 0..partitions {
            let id = PartitionId { topic, index };
            let partition = self.cluster.partition(id);
            partition.leader = None;
            partition.epoch += 1;
            let gone: Vec<u64> = partition
                .log
                .iter()
                .skip(partition.log_start)
                .flat_map(|entry| entry.numbers.iter().copied())
                .collect();
            partition.log_start = partition.log.len();
            self.check.lose(&gone);
            self.check.uncount(&gone);
        }
        let anew = one_of(&mut self.rng, &[partitions, partitions + 1, 1]);
        let until = self.a_while();
        self.after(until, Happening::Repair(Repair::CreateTopic(anew)));
        self.spread();
    }

    /// New brokers take over, with all that the old ones held; those go for good.
    pub(crate) fn replace_all(&mut self) {
        let old = self.cluster.doors();
        let shift = 100;
        let view = self.cluster.truth();
        for &id in &old {
            let host = format!("broker-{}", id + shift);
            let node = Node::new(host, Rc::clone(&view));
            self.cluster.nodes.insert(id + shift, node);
        }
        for id in self.cluster.partition_ids() {
            let partition = self.cluster.partition(id);
            let held = std::mem::take(&mut partition.held);
            partition.held = held
                .into_iter()
                .map(|(node, end)| (node + shift, end))
                .collect();
            partition.isr = partition.isr.iter().map(|node| node + shift).collect();
            partition.leader = partition.leader.map(|leader| leader + shift);
            partition.epoch += 1;
        }
        let told = self.rng.bool();
        for id in old {
            self.node(id).state = State::Retired;
            self.kill(id, told);
        }
        self.spread();
    }

    pub(crate) fn repair(&mut self, repair: Repair) {
        self.note(|| format!("repair: {repair:?}"));
        match repair {
            Repair::Restart(id) => {
                let truth = self.cluster.truth();
                let node = self.node(id);
                if node.state == State::Down {
                    node.state = State::Up;
                    node.view = truth;
                    self.returned(id);
                }
            }
            Repair::Thaw(id) => {
                let node = self.node(id);
                if !node.is_alive() {
                    return;
                }
                node.state = State::Up;
                let connections: Vec<u64> = self.connections.keys().copied().collect();
                for connection in connections {
                    if self.connections[&connection].node == id {
                        self.pump(connection);
                    }
                }
                self.settle_waiting();
                self.returned(id);
            }
            Repair::Accept(id) => {
                self.node(id).door = Door::Open;
            }
            Repair::CreateTopic(partitions) => {
                if self.cluster.standing().is_empty() {
                    self.after(SECOND, Happening::Repair(repair));
                } else if self.cluster.current.is_none() {
                    self.cluster.create_topic(partitions);
                    self.spread();
                }
            }
        }
    }

    /// Everything is well again, and stays so.
    pub(crate) fn heal(&mut self) {
        self.calm = true;
        self.faults = Faults::default();
        self.cluster.lagging.clear();
        let now = self.now;
        for connection in self.connections.values_mut() {
            connection.blocked_until = connection.blocked_until.min(now);
        }
        for id in self.cluster.doors() {
            for repair in [Repair::Accept(id), Repair::Restart(id), Repair::Thaw(id)] {
                self.repair(repair);
            }
        }
        let partitions = self.cluster.topics.last();
        let partitions = partitions.map_or(self.plan.partitions, |topic| topic.partitions.len());
        self.repair(Repair::CreateTopic(partitions));
        for id in self.cluster.partition_ids() {
            if Some(id.topic) == self.cluster.current && self.cluster.partition(id).leader.is_none()
            {
                self.elect(id, true);
            }
            self.replicate(id);
        }
        self.after(50 * MS, Happening::Steady);
    }

    /// The last of what spread while things were still broken has arrived.
    pub(crate) fn steady(&mut self) {
        let truth = self.cluster.truth();
        for node in self.cluster.nodes.values_mut() {
            node.view = Rc::clone(&truth);
        }
        for id in self.cluster.partition_ids() {
            self.replicate(id);
        }
        self.settle_waiting();
    }
}
