//! Evaluates one request for each pair of classes, and decides claims from the answers.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _, HashSet};

use serde::Serialize;

use super::contradiction::{Contradiction, Evidence};
use super::expectation::Expectation;
use super::row::{Asker, Fate, Row, both_ways};
use super::space::masters;
use super::split::Split;
use super::{Space, View};
use crate::error::Result;
use crate::judgement::{Gap, Judgement};
use crate::predict::{ArpRequest, MissingSet, Model, Verdict, listeners};
use crate::snapshot::{Index, Snapshot};
use crate::stop::Stop;
use crate::types::{IfIndex, Ipv4Net};

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "proof", rename_all = "snake_case")]
pub enum Proof {
    /// It holds for all senders and all targets it is about.
    Proved {
        /// How many requests (or packets) stood for all of them.
        cases: u64,
    },
    /// It does not hold, and this is a case.
    Refuted(Contradiction),
    /// It cannot be decided: nothing known speaks against it, but some case cannot be told.
    Undetermined {
        /// What is missing.
        missing: MissingSet,
        /// A request that cannot be told.
        #[serde(serialize_with = "super::contradiction::fields")]
        #[cfg_attr(feature = "schema", schemars(with = "crate::schema::Request"))]
        request: ArpRequest,
    },
}

impl Proof {
    /// Whether the claim holds; `None` if that cannot be told.
    #[must_use]
    pub const fn holds(&self) -> Option<bool> {
        match self {
            Self::Proved { .. } => Some(true),
            Self::Refuted(_) => Some(false),
            Self::Undetermined { .. } => None,
        }
    }
}

/// Decides claims about one snapshot. What was evaluated for one claim serves the next ones.
#[derive(Debug)]
pub struct Prover<'s> {
    pub(super) model: Model<'s>,
    pub(super) space: Space,
    views: HashMap<IfIndex, Rc<View>>,
    /// What answers for each interface that was asked for.
    tops: HashMap<IfIndex, IfIndex>,
    /// The classes of senders of each interface.
    senders: HashMap<IfIndex, Rc<Split>>,
    rows: HashMap<(IfIndex, u32), Rc<Row>>,
    /// The latest number of cases, and of what.
    counted: Option<(Rc<Split>, Ipv4Addr, u64)>,
    listeners: Vec<IfIndex>,
    index: Index<'s>,
    /// The classes of hosts in some subnets of an interface, each with an example.
    hosts: HashMap<(Option<IfIndex>, Vec<Ipv4Net>), Rc<Hosts>>,
    own: HashSet<IpAddr>,
    /// Once raised, nothing is worked out any more.
    pub(super) stop: Stop,
    /// The same without what is missing, built where something is.
    apart: Option<Box<Prover<'s>>>,
}

/// Classes of senders, each with an example.
pub(super) type Hosts = Vec<(u32, u32)>;

impl<'s> Prover<'s> {
    /// Splits both address spaces at every boundary that the model can tell.
    ///
    /// # Errors
    /// As [`Snapshot::check`].
    pub fn new(snapshot: &'s Snapshot) -> Result<Self> {
        snapshot.check()?;
        Ok(Self::of(snapshot))
    }

    /// The same of a snapshot that was checked, or made of such a one by changes.
    pub(crate) fn of(snapshot: &'s Snapshot) -> Self {
        Self::with(Model::of(snapshot))
    }

    /// The same by a model of it.
    pub(crate) fn with(model: Model<'s>) -> Self {
        let snapshot = model.snapshot();
        Self {
            model,
            space: Space::new(&[snapshot]),
            views: HashMap::new(),
            tops: HashMap::new(),
            senders: HashMap::new(),
            rows: HashMap::new(),
            counted: None,
            listeners: listeners(snapshot),
            index: Index::new(snapshot),
            hosts: HashMap::new(),
            own: snapshot.addresses.iter().map(|address| address.local).collect(),
            stop: Stop::default(),
            apart: None,
        }
    }

    /// Works nothing out any more once `stop` is raised. What comes of claims then means nothing: who gives it asks
    /// it afterwards.
    pub(crate) fn until(self, stop: &Stop) -> Self {
        Self { stop: stop.clone(), ..self }
    }

    /// What a claim comes to: that of its proof, and what is missing where it cannot be told.
    pub fn judge(&mut self, claim: &Expectation, proof: &Proof) -> Judgement {
        let snapshot = self.model.snapshot();
        let Proof::Undetermined { missing, request } = proof else {
            return Judgement::of(proof.holds() == Some(true));
        };
        let apart = self.apart().prove(claim).holds();
        let interfaces = [request.interface];
        let missing =
            Gap::all(snapshot, *missing, &interfaces, &format!("whether {}", claim.sentence(snapshot)));
        Judgement::Undetermined { missing, apart }
    }

    /// The same without what is missing.
    pub(crate) fn apart(&mut self) -> &mut Self {
        let (model, stop) = (&self.model, &self.stop);
        self.apart.get_or_insert_with(|| Box::new(Prover::with(model.without_interference()).until(stop)))
    }

    /// The model that decides single requests.
    #[must_use]
    pub const fn model(&self) -> &Model<'s> {
        &self.model
    }

    /// Decides one claim.
    #[must_use]
    pub fn prove(&mut self, claim: &Expectation) -> Proof {
        match claim {
            Expectation::ExactlyOne { target, among } => self.exactly_one(*target, among),
            Expectation::NothingBut { interface, target, among } => {
                let others = self.among(among);
                let owner = self.answers_as(*interface);
                let others: Vec<IfIndex> =
                    others.into_iter().filter(|other| self.answers_as(*other) != owner).collect();
                self.all(others.into_iter().map(|other| (other, *target)))
            }
            Expectation::Never { interface, target } => self.all([(*interface, *target)]),
            Expectation::Answers { interface, target } => self.answers(*interface, *target),
            Expectation::LeavesBy { source, interface, among } => self.leaves_by(*source, *interface, among),
        }
    }

    /// The requests to `interface` that stand for all of them: one for each pair of a class of senders and
    /// one of targets, to all and by unicast, and one for each class of targets that asks for itself.
    pub fn representatives(&mut self, interface: IfIndex) -> Vec<ArpRequest> {
        let view = self.view(interface);
        let mut requests = Vec::new();
        for target in &view.targets.members {
            for sender in &view.senders.members {
                if let Some((sender, target)) = sender.apart(*target) {
                    requests.extend(both_ways(interface, sender, target));
                }
            }
            requests.extend(both_ways(interface, target.first, target.first));
        }
        requests
    }

    /// The request that stands for `request`: one of [`Prover::representatives`].
    #[must_use]
    pub fn representative(&mut self, request: &ArpRequest) -> ArpRequest {
        let view = self.view(request.interface);
        let target = view.targets.members[view.targets.class_of(request.target)];
        let sender = view.senders.members[view.senders.class_of(request.sender)];
        let pair = if request.sender == request.target {
            Some((target.first, target.first))
        } else {
            sender.apart(target)
        };
        let (sender, target) = pair.unwrap_or((request.sender.into(), request.target.into()));
        ArpRequest { sender: sender.into(), target: target.into(), ..*request }
    }

    pub(super) fn among(&self, among: &[IfIndex]) -> Vec<IfIndex> {
        if among.is_empty() { self.listeners.clone() } else { among.to_vec() }
    }

    /// The bridge or bond on top, where the interface is a port; VRFs leave their ports alone.
    pub(super) fn answers_as(&mut self, interface: IfIndex) -> IfIndex {
        let snapshot = self.model.snapshot();
        let takes_over = |index: &IfIndex| {
            snapshot
                .interface(*index)
                .and_then(|master| master.kind.as_ref())
                .is_some_and(|kind| kind.ports().taken() == Some(true))
        };
        let on_top = || masters(snapshot, interface).into_iter().take_while(takes_over).last();
        // Finding them goes through all interfaces: once for each, not for each of each address.
        *self.tops.entry(interface).or_insert_with(|| on_top().unwrap_or(interface))
    }

    pub(super) fn view(&mut self, interface: IfIndex) -> Rc<View> {
        if let Some(view) = self.views.get(&interface) {
            return Rc::clone(view);
        }
        let view = Rc::new(self.space.view(interface, &masters(self.model.snapshot(), interface)));
        self.views.insert(interface, Rc::clone(&view));
        view
    }

    pub(super) fn senders(&mut self, interface: IfIndex) -> Rc<Split> {
        if let Some(senders) = self.senders.get(&interface) {
            return Rc::clone(senders);
        }
        let senders = self.space.senders(interface, &masters(self.model.snapshot(), interface));
        self.senders.insert(interface, Rc::clone(&senders));
        senders
    }

    /// What becomes of a request.
    pub(super) fn fate(&self, interface: IfIndex, sender: u32, target: u32, unicast: bool) -> Fate {
        let request = ArpRequest::broadcast(interface, sender.into(), target.into());
        Fate::of(&self.model.reply(&ArpRequest { unicast, ..request }))
    }

    /// How many requests stand for all those to an interface for one address: one for each class of senders and one
    /// for the target itself, each sent to all and to the interface alone.
    pub(super) fn cases(&mut self, interface: IfIndex, target: Ipv4Addr) -> u64 {
        let senders = self.senders(interface);
        if let Some((of, latest, cases)) = &self.counted
            && (Rc::ptr_eq(of, &senders) && *latest == target)
        {
            return *cases;
        }
        // A class of which the target is the only member asks for itself.
        let itself = senders.members[senders.class_of(target)].other.is_none();
        let cases = 2 * (senders.classes() as u64 + u64::from(!itself));
        self.counted = Some((senders, target, cases));
        cases
    }

    pub(super) fn row(&mut self, interface: IfIndex, class: u32) -> Rc<Row> {
        if let Some(row) = self.rows.get(&(interface, class)) {
            return Rc::clone(row);
        }
        let view = self.view(interface);
        let target = view.targets.members[class as usize];
        let mut row = Row::default();
        // Where a macvlan takes some of the requests, the last one to answer stands for all.
        let one_answers = self.answers_alone(interface);
        let others = (0..).zip(&view.senders.members).filter_map(|(class, sender)| {
            let (sender, target) = sender.apart(target)?;
            Some((Some(class), both_ways(interface, sender, target)))
        });
        let itself = (None, both_ways(interface, target.first, target.first));
        for (class, requests) in others.chain([itself]) {
            if self.stop.is_raised() || (one_answers && row.answered.is_some()) {
                break;
            }
            row.ask(&self.model, class, requests);
        }
        let row = Rc::new(row);
        self.rows.insert((interface, class), Rc::clone(&row));
        row
    }

    /// Whether all requests to an interface are answered by one and the same, if by any.
    pub(super) fn answers_alone(&self, interface: IfIndex) -> bool {
        masters(self.model.snapshot(), interface).is_empty()
    }

    /// The classes of senders that would ask an interface for `target`, each with an example: its
    /// neighbours in the subnets around the target or, where none is, in any. No class comes twice.
    pub(super) fn neighbours(&mut self, interface: IfIndex, target: Ipv4Addr) -> Rc<Hosts> {
        let all = self.index.subnets(interface);
        let around = all.iter().any(|subnet| subnet.contains(&target));
        let subnets: Vec<Ipv4Net> =
            all.iter().copied().filter(|subnet| !around || subnet.contains(&target)).collect();
        self.hosts_in(interface, subnets)
    }

    /// The classes of senders that are hosts of `subnets`, each with an example.
    pub(super) fn hosts_in(&mut self, interface: IfIndex, subnets: Vec<Ipv4Net>) -> Rc<Hosts> {
        let senders = self.senders(interface);
        // A subnet with very many single routes has as many intervals: they are gone through once.
        let space = &self.space;
        let own = (!space.is_common(&senders)).then_some(interface);
        let hosts = self.hosts.entry((own, subnets)).or_insert_with_key(|(_, subnets)| {
            let mut seen = vec![false; senders.classes()];
            let mut found = Vec::new();
            for (interval, example) in subnets.iter().flat_map(|subnet| space.neighbours(*subnet)) {
                let class = senders.of[interval];
                if !std::mem::replace(&mut seen[class as usize], true) {
                    found.push((class, example));
                }
            }
            Rc::new(found)
        });
        Rc::clone(hosts)
    }

    /// A sender that may well ask `interface`, for an example of silence.
    pub(super) fn somebody(&mut self, interface: IfIndex, target: u32) -> u32 {
        let neighbours = self.neighbours(interface, target.into());
        let other = neighbours.iter().map(|(_, example)| *example).find(|example| *example != target);
        other.unwrap_or_else(|| u32::from(self.model.snapshot().elsewhere()))
    }

    pub(super) fn refuted(&self, evidence: Vec<Evidence>) -> Proof {
        Proof::Refuted(Contradiction::new(self.model.snapshot(), evidence))
    }

    pub(super) fn undetermined(&mut self, interface: IfIndex, target: u32, asker: Asker) -> Proof {
        let view = self.view(interface);
        match self.evidence(&view, interface, target, asker) {
            Evidence::Request { request, verdict: Verdict::Undetermined { missing } } => {
                Proof::Undetermined { missing, request }
            }
            other => self.refuted(vec![other]),
        }
    }

    /// The request of a host that gets an answer or, where none does, of `asker`, who does.
    pub(super) fn answered(
        &mut self,
        view: &View,
        interface: IfIndex,
        target: u32,
        asker: Asker,
    ) -> Evidence {
        match self.answered_host(&[interface], target) {
            Some((sender, unicast)) => self.asked(interface, sender, target, unicast),
            None => self.evidence(view, interface, target, asker),
        }
    }

    /// Whether an address is the host's own.
    pub(super) fn is_own(&self, address: Ipv4Addr) -> bool {
        self.own.contains(&IpAddr::V4(address))
    }

    /// The request of `asker` for `target` itself, which is of the class that was evaluated.
    fn evidence(&self, view: &View, interface: IfIndex, target: u32, asker: Asker) -> Evidence {
        let sender = asker
            .class
            .and_then(|class| view.senders.members[class as usize].except(target))
            .unwrap_or(target);
        self.asked(interface, sender, target, asker.unicast)
    }

    pub(super) fn asked(&self, interface: IfIndex, sender: u32, target: u32, unicast: bool) -> Evidence {
        let request =
            ArpRequest { unicast, ..ArpRequest::broadcast(interface, sender.into(), target.into()) };
        Evidence::Request { request, verdict: self.model.reply(&request) }
    }
}
