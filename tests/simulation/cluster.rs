//! The brokers, the topic in all its incarnations, and what each broker believes of both.
//!
//! A broker acts on its view, which follows the truth with a delay: so an old leader goes on leading for a while, and metadata is
//! as old as whoever answers. Invariant: a change of leaders, brokers or topics is followed by [`World::spread`].

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::broker;
use crate::partition::Partition;
use crate::plan::Plan;
use crate::time::{MS, Micros, SECOND};
use crate::world::{Happening, World};

/// A topic from its creation to its deletion.
#[derive(Debug)]
pub(crate) struct Topic {
    pub(crate) id: u128,
    pub(crate) partitions: Vec<Partition>,
}

/// Names a partition of an incarnation of the topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PartitionId {
    pub(crate) topic: usize,
    pub(crate) index: usize,
}

/// What a broker believes.
#[derive(Debug)]
pub(crate) struct View {
    /// Which incarnation of the topic there is.
    pub(crate) topic: Option<usize>,
    /// Leader and its epoch, by partition.
    pub(crate) leaders: Vec<(Option<i32>, i32)>,
    /// The brokers that are up, with their hosts.
    pub(crate) brokers: Vec<(i32, String)>,
    pub(crate) controller: i32,
}

/// How a broker is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Up,
    /// Stopped by SIGSTOP, or starved: its kernel still takes connections.
    Frozen,
    Down,
    /// Down for good.
    Retired,
}

/// What becomes of new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Open,
    Refuses,
    /// They are never made.
    Hangs,
}

/// A broker.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) host: String,
    pub(crate) state: State,
    pub(crate) door: Door,
    pub(crate) view: Rc<View>,
}

impl Node {
    /// It does its work.
    pub(crate) fn works(&self) -> bool {
        self.state == State::Up
    }

    /// There is a process.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state, State::Up | State::Frozen)
    }

    pub(crate) fn new(host: String, view: Rc<View>) -> Self {
        Self {
            host,
            state: State::Up,
            door: Door::Open,
            view,
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) nodes: BTreeMap<i32, Node>,
    pub(crate) topics: Vec<Topic>,
    pub(crate) current: Option<usize>,
    pub(crate) next_producer_id: i64,
    pub(crate) waiting: BTreeMap<u64, broker::Waiting>,
    pub(crate) next_waiting: u64,
    pub(crate) min_isr: usize,
    /// Followers that fetch nothing before some instant.
    pub(crate) lagging: BTreeMap<(PartitionId, i32), Micros>,
    replication: usize,
    created: u128,
}

impl Cluster {
    pub(crate) fn new(plan: &Plan) -> Self {
        let nobody = Rc::new(View {
            topic: None,
            leaders: Vec::new(),
            brokers: Vec::new(),
            controller: -1,
        });
        let node = |id: i32| Node::new(format!("broker-{id}"), Rc::clone(&nobody));
        let mut cluster = Self {
            nodes: (1..=plan.nodes).map(|id| (id, node(id))).collect(),
            topics: Vec::new(),
            current: None,
            next_producer_id: 1000,
            waiting: BTreeMap::new(),
            next_waiting: 0,
            min_isr: plan.min_isr,
            lagging: BTreeMap::new(),
            replication: plan.replication,
            created: 0,
        };
        if plan.topic_exists {
            cluster.create_topic(plan.partitions);
        }
        let view = cluster.truth();
        for node in cluster.nodes.values_mut() {
            node.view = Rc::clone(&view);
        }
        cluster
    }

    /// The cluster as it is.
    pub(crate) fn truth(&self) -> Rc<View> {
        let leaders = self.current.map_or(Vec::new(), |topic| {
            let partitions = self.topics[topic].partitions.iter();
            partitions.map(|p| (p.leader, p.epoch)).collect()
        });
        let up = self.nodes.iter().filter(|(_, node)| node.is_alive());
        Rc::new(View {
            topic: self.current,
            leaders,
            brokers: up.map(|(&id, node)| (id, node.host.clone())).collect(),
            controller: self.standing().first().copied().unwrap_or(-1),
        })
    }

    /// The brokers that work.
    pub(crate) fn standing(&self) -> Vec<i32> {
        let works = self.nodes.iter().filter(|(_, node)| node.works());
        works.map(|(&id, _)| id).collect()
    }

    /// A new partition: its replicas are in turn those that work, then the others, which catch up when they can.
    fn new_partition(&self, index: usize) -> Partition {
        let (mut standing, mut others) = (self.standing(), self.doors());
        others.retain(|id| !standing.contains(id));
        if !standing.is_empty() {
            let turn = index % standing.len();
            standing.rotate_left(turn);
        }
        let replicas: Vec<i32> = standing.iter().chain(&others).copied().collect();
        let replicas = &replicas[..self.replication.min(replicas.len())];
        let in_sync: Vec<i32> = replicas
            .iter()
            .copied()
            .filter(|id| standing.contains(id))
            .collect();
        Partition::new(replicas, &in_sync)
    }

    /// The brokers that are not gone for good.
    pub(crate) fn doors(&self) -> Vec<i32> {
        let up = self
            .nodes
            .iter()
            .filter(|(_, node)| node.state != State::Retired);
        up.map(|(&id, _)| id).collect()
    }

    pub(crate) fn create_topic(&mut self, partitions: usize) {
        self.created += 1;
        self.current = Some(self.topics.len());
        let partitions = (0..partitions).map(|index| self.new_partition(index));
        let topic = Topic {
            id: self.created,
            partitions: partitions.collect(),
        };
        self.topics.push(topic);
    }

    pub(crate) fn add_partition(&mut self) {
        if let Some(topic) = self.current {
            let partition = self.new_partition(self.topics[topic].partitions.len());
            self.topics[topic].partitions.push(partition);
        }
    }

    /// Who leads, as far as it knows, follows nobody.
    fn believes_to_lead(&self, node: i32, id: PartitionId) -> bool {
        let view = self.nodes.get(&node).map(|node| &node.view);
        view.is_some_and(|view| {
            let believed = view.leaders.get(id.index);
            view.topic == Some(id.topic)
                && believed.is_some_and(|&(leader, _)| leader == Some(node))
        })
    }

    pub(crate) fn partition(&mut self, id: PartitionId) -> &mut Partition {
        &mut self.topics[id.topic].partitions[id.index]
    }

    /// Every partition of the topic as it is now.
    pub(crate) fn partition_ids(&self) -> Vec<PartitionId> {
        let Some(topic) = self.current else {
            return Vec::new();
        };
        let indexes = 0..self.topics[topic].partitions.len();
        indexes.map(|index| PartitionId { topic, index }).collect()
    }
}

impl World {
    /// What is true reaches the brokers, each after a while.
    pub(crate) fn spread(&mut self) {
        for id in self.cluster.doors() {
            let delay = if self.calm || self.rng.bool() {
                self.rng.u64(0..20 * MS)
            } else {
                self.rng.u64(0..2 * SECOND)
            };
            self.after(delay, Happening::Learn(id));
        }
        self.settle_waiting();
    }

    pub(crate) fn learn(&mut self, id: i32) {
        let truth = self.cluster.truth();
        let Some(node) = self.cluster.nodes.get_mut(&id) else {
            return;
        };
        if node.works() {
            node.view = truth;
            self.settle_waiting();
            for partition in self.cluster.partition_ids() {
                self.replicate(partition);
            }
        }
    }

    /// A node does not answer any more: who notices it moves its partitions and takes it out of sync.
    pub(crate) fn lost(&mut self, id: i32, unclean: bool) {
        if self.cluster.nodes[&id].works() {
            return;
        }
        for partition in self.cluster.partition_ids() {
            if self.cluster.partition(partition).leader == Some(id) {
                self.elect(partition, unclean);
            } else {
                self.cluster.partition(partition).shrink(id);
            }
        }
        self.spread();
    }

    /// Another replica leads, one that is in sync if there is one; nobody if there is none.
    pub(crate) fn elect(&mut self, id: PartitionId, unclean: bool) {
        let standing = self.cluster.standing();
        let partition = self.cluster.partition(id);
        let old = partition.leader;
        let may_lead = |node: &&i32| standing.contains(node) && Some(**node) != old;
        let in_sync: Vec<i32> = partition.isr.iter().filter(may_lead).copied().collect();
        let replicas: Vec<i32> = partition.held.keys().filter(may_lead).copied().collect();
        let chosen = self
            .rng
            .choice(&in_sync)
            .or_else(|| self.rng.choice(&replicas).filter(|_| unclean))
            .copied();
        let old_works = old.is_some_and(|old| standing.contains(&old));
        let partition = self.cluster.partition(id);
        match chosen {
            Some(node) => {
                let (lost, clean) = partition.elect(node);
                let (epoch, end) = (partition.epoch, partition.log.len());
                self.note(|| format!("{id:?}: node {node} leads in epoch {epoch} with {end} batches, {} records cut off", lost.len()));
                self.cut_off(&lost, clean);
                if let Some(old) = old.filter(|_| !old_works) {
                    self.cluster.partition(id).shrink(old);
                }
                self.replicate(id);
            }
            None if !old_works => {
                partition.leader = None;
                partition.epoch += 1;
                self.note(|| format!("{id:?}: nobody leads"));
            }
            None => {}
        }
    }

    /// Records are cut off by an election. If that was clean, `acks=all` did not promise them.
    pub(crate) fn cut_off(&mut self, numbers: &[u64], clean: bool) {
        if clean {
            self.check.lose_if_unreplicated(numbers);
        } else {
            self.count("unclean election");
            self.check.lose(numbers);
        }
        self.check.uncount(numbers);
    }

    /// A node is back: it may lead what nobody leads, and catches up with the rest.
    pub(crate) fn returned(&mut self, id: i32) {
        for partition in self.cluster.partition_ids() {
            let p = self.cluster.partition(partition);
            if p.leader.is_none() && p.isr.contains(&id) {
                let (lost, clean) = p.elect(id);
                self.cut_off(&lost, clean);
                self.note(|| format!("{partition:?}: node {id} leads again"));
            }
            self.replicate(partition);
        }
        self.spread();
    }

    /// The followers fetch what the leader has, each after a while.
    pub(crate) fn replicate(&mut self, id: PartitionId) {
        let partition = self.cluster.partition(id);
        let (leader, end) = (partition.leader, partition.log.len());
        let behind: Vec<i32> = partition
            .held
            .iter()
            .filter(|&(node, &held)| {
                Some(*node) != leader && (held < end || !partition.isr.contains(node))
            })
            .map(|(&node, _)| node)
            .collect();
        for node in behind {
            let delay: Micros = if !self.calm && self.rng.u8(0..20) == 0 {
                self.rng.u64(0..3 * SECOND)
            } else {
                self.rng.u64(0..10 * MS)
            };
            self.after(delay, Happening::Replicate(id, node));
        }
    }

    pub(crate) fn fetch(&mut self, id: PartitionId, follower: i32) {
        let works = |node: i32| self.cluster.nodes.get(&node).is_some_and(Node::works);
        let leader = self.cluster.topics[id.topic].partitions[id.index].leader;
        let lags = self.cluster.lagging.get(&(id, follower));
        let lags = lags.is_some_and(|&until| until > self.now);
        let leads = self.cluster.believes_to_lead(follower, id);
        if leader.is_some_and(works)
            && works(follower)
            && leader != Some(follower)
            && !lags
            && !leads
        {
            self.cluster.partition(id).replicate(follower);
            self.settle_waiting();
        }
    }
}
