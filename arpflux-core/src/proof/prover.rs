//! Evaluates one request for each pair of classes, and decides claims from the answers.

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt as _, HashSet};

use serde::Serialize;

use super::contradiction::{Contradiction, Evidence};
use super::expectation::Expectation;
use super::row::{Row, both_ways};
use super::space::masters;
use super::split::Split;
use super::{Space, View};
use crate::error::Result;
use crate::judgement::{Gap, Judgement};
use crate::predict::{ArpRequest, MissingSet, Model, Request, SolicitorClass, listeners};
use crate::snapshot::{Index, Snapshot};
use crate::stop::Stop;
use crate::types::{IfIndex, IpNet};

/// What became of a claim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "proof", rename_all = "snake_case")]
pub enum Proof {
    /// It holds for all senders and all targets it is about.
    Proved {
        /// How many requests (or packets) stood for all of them; of IPv6, solicitations to the solicited-node group.
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
        request: Request,
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
    pub(super) counted: Option<(Rc<Split>, Ipv4Addr, u64)>,
    listeners: Vec<IfIndex>,
    pub(super) index: Index<'s>,
    /// The classes of hosts in some subnets of an interface, each with an example.
    pub(super) hosts: HashMap<(Option<IfIndex>, Vec<IpNet>), Rc<Hosts>>,
    /// The classes of those who ask for IPv6 addresses.
    pub(super) solicitors: OnceCell<Vec<SolicitorClass>>,
    own: HashSet<IpAddr>,
    /// Once raised, nothing is worked out any more.
    pub(super) stop: Stop,
    /// The same without what is missing, built where something is.
    apart: Option<Box<Prover<'s>>>,
}

/// Classes of senders, each with an example.
pub(super) type Hosts = Vec<(u32, IpAddr)>;

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
            solicitors: OnceCell::new(),
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
        let (interfaces, ipv6) = ([request.interface()], request.target().is_ipv6());
        let open = format!("whether {}", claim.sentence(snapshot));
        let missing = Gap::of(snapshot, ipv6, *missing, &interfaces, &open);
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

    /// How those fare that ask an interface for a class of IPv4 addresses.
    pub(super) fn row_of_class(&mut self, interface: IfIndex, class: u32) -> Rc<Row> {
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
            row.ask(&self.model, class, requests.map(Request::Arp));
        }
        let row = Rc::new(row);
        self.rows.insert((interface, class), Rc::clone(&row));
        row
    }

    /// Whether all requests to an interface are answered by one and the same, if by any.
    pub(super) fn answers_alone(&self, interface: IfIndex) -> bool {
        masters(self.model.snapshot(), interface).is_empty()
    }

    pub(super) fn refuted(&self, evidence: Vec<Evidence>) -> Proof {
        Proof::Refuted(Contradiction::new(self.model.snapshot(), evidence))
    }

    /// Whether an address is the host's own.
    pub(super) fn is_own(&self, address: IpAddr) -> bool {
        self.own.contains(&address)
    }
}
