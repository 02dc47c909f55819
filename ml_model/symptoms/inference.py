"""From findings to conditions: a Bayesian network in two layers, one condition at a time or something else.

    P(condition | case) ~ prior(age, sex)^a
        * prod P(f | condition) over what is present, the most specific only, some of it misread
        * prod (1 - P(f | condition)) over what is absent, the most general only, likewise
        * prod (1 - m P(f | condition))^w over what is not mentioned
        * P(duration, onset, recurrence | condition),                                        all of it ^ (1 / T)

P(f | condition) = 1 - (1 - leak(f)) (1 - p), a noisy-OR of the condition and of everything else that may cause f;
p is the number behind the frequency given for f or for what implies it. a, w, m and T are `Fit`, chosen on vignettes,
which tell much and are not as common as life has it: where little is told, a and T are nearer to 1 and w nearer to 0.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ml_model.symptoms.conditions import (
    AGE_BANDS_YEARS,
    FREQUENCIES,
    INCIDENCES,
    RISK_ODDS,
    SPANS_DAYS,
    Condition,
)
from ml_model.symptoms.vocabulary import FindingVocabulary

Array = NDArray[np.float64]
Sex = Literal["female", "male"]

_HIGHEST, _LOWEST = 0.97, 1e-4  # no finding is certain
_LEAST_FREQUENCY = 0.02  # of an age or sex that a condition is hardly ever seen in
_SPAN_WIDTH = 0.9  # decades of time: how far durations are from the spans that a condition names
_PEOPLE_BY_AGE = (0.02, 0.12, 0.07, 0.31, 0.31, 0.17)  # share of people in each of AGE_BANDS_YEARS
_MUCH_TOLD = 4.0  # findings: with few, what is common counts in full, and nothing is counted twice
_BACKGROUND = ("history", "medicine", "exposure", "state")


@dataclass(frozen=True)
class Fit:
    """What was chosen on vignettes. prior_power: a. unmentioned: w, of symptoms and signs; of qualities and histories a
    part of it, `quality_share`. mention: m. temperature: T. other: log weight of something else. leak: of a finding
    that no condition has; each has its share of the mean over conditions beside. course: weight of time's course.
    inherited: how much of an unlisted finding is owed to the more general one that is
    listed. absent, quality: weights of what is absent, and of qualities and histories that are present. misread: share
    of what is read that was not meant."""

    prior_power: float = 0.5
    unmentioned: float = 0.3
    quality_share: float = 0.3
    mention: float = 0.8
    temperature: float = 1.6
    other: float = 2.0
    leak: float = 0.004
    leak_share: float = 0.5
    course: float = 0.6
    inherited: float = 0.7
    absent: float = 0.8
    misread: float = 0.05
    quality: float = 0.7


@dataclass(frozen=True)
class CaseFindings:
    """What is known of a case. present, absent: finding ids. duration_days: of the complaint; the others None where
    nothing is said. sounds_grave: what was said, as a whole, is what people say of a danger."""

    present: frozenset[str]
    absent: frozenset[str] = frozenset()
    age_years: float | None = None
    sex: Sex | None = None
    duration_days: float | None = None
    sudden: bool | None = None
    recurrent: bool | None = None
    sounds_grave: bool = False


@dataclass(frozen=True)
class Posterior:
    """probabilities: (conditions,) of each; something_else: of none of them; together 1. evidence: (findings asked,
    conditions) log-likelihood of each finding against its mean over the conditions, in the order of `findings`."""

    probabilities: Array
    something_else: float
    findings: tuple[str, ...]
    evidence: Array

    @cached_property
    def order(self) -> NDArray[np.int64]:
        """(conditions,) their places, the most probable first."""
        return np.argsort(-self.probabilities, kind="stable")


class SymptomNetwork:
    """The network over a vocabulary and conditions. Immutable; safe to share between threads."""

    def __init__(self, vocabulary: FindingVocabulary, conditions: Sequence[Condition], fit: Fit) -> None:
        self.vocabulary, self.conditions, self.fit = vocabulary, tuple(conditions), fit
        self.ids = tuple(vocabulary.findings)
        self.column: Mapping[str, int] = {id_: n for n, id_ in enumerate(self.ids)}
        self._prior = np.log([INCIDENCES[c.incidence] for c in conditions])
        self._age = np.maximum([c.age for c in conditions], _LEAST_FREQUENCY)
        self._sex = np.maximum([c.sex for c in conditions], _LEAST_FREQUENCY)
        self._of_sex = np.array([c.sex for c in conditions]) > 0
        self.p, self._mean = self._probabilities()
        self._likely = np.ascontiguousarray(self.p.T)  # by finding, as it is looked up
        kinds = np.array([vocabulary.findings[id_].kind for id_ in self.ids])
        share = np.where(np.isin(kinds, ("symptom", "sign")), 1.0, fit.quality_share)
        log_unmentioned = (
            fit.unmentioned * share * (np.log1p(-fit.mention * self.p) - np.log1p(-fit.mention * self._mean))
        )
        self._unmentioned = log_unmentioned.sum(axis=1)
        self._log_unmentioned = np.ascontiguousarray(log_unmentioned.T)
        self._weight = np.where(np.isin(kinds, ("symptom", "sign")), 1.0, fit.quality)
        spans = np.array([[float(s in c.onset) for s in SPANS_DAYS] for c in conditions])
        self._spans = spans
        self._sudden = np.clip([c.sudden for c in conditions], 0.03, 0.9)
        self._recurrent = np.clip([c.recurrent for c in conditions], 0.05, 0.9)

    def _probabilities(self) -> tuple[Array, Array]:
        """(conditions, findings) P(f | condition), and (findings,) that of something else."""
        listed = np.zeros((len(self.conditions), len(self.ids)))
        against = np.zeros_like(listed, dtype=bool)
        odds = np.ones_like(listed)
        for row, condition in enumerate(self.conditions):
            for name, frequency in FREQUENCIES.items():
                listed[row, [self.column[f] for f in getattr(condition, name)]] = frequency
            for name, factor in RISK_ODDS.items():
                odds[row, [self.column[f] for f in getattr(condition, name)]] = factor
            against[row, [self.column[f] for f in condition.against]] = True
        p = self._closed(listed)
        background = np.array([self.vocabulary.findings[id_].kind in _BACKGROUND for id_ in self.ids])
        leak = self.fit.leak + self.fit.leak_share * p.mean(axis=0)
        leak = np.clip(np.where(background, np.maximum(leak, 0.03), leak), _LOWEST, _HIGHEST)
        own = 1 - (1 - leak) * (1 - p)
        raised = odds * leak / (1 - leak)
        own = np.maximum(own, np.where(odds > 1, raised / (1 + raised), 0))
        own = np.where(against, leak * 0.1, own)
        return np.clip(own, _LOWEST, _HIGHEST), leak

    def _closed(self, listed: Array) -> Array:
        """What is more general is at least as frequent; of what is more specific and not listed, a share as large as
        over all conditions."""
        p = listed.copy()
        for column, id_ in enumerate(self.ids):
            for above in self.vocabulary.ancestors(id_):
                at = self.column[above]
                p[:, at] = np.maximum(
                    p[:, at], np.minimum(_HIGHEST, listed[:, column] + p[:, at] * 0.3) * (listed[:, column] > 0)
                )
        mean = p.mean(axis=0)
        inherited = np.zeros_like(p)
        for column, id_ in enumerate(self.ids):
            for above in self.vocabulary.findings[id_].is_a:
                at = self.column[above]
                share = mean[column] / max(mean[at], 1e-9)
                inherited[:, column] = np.maximum(inherited[:, column], p[:, at] * min(share, 1.0) * self.fit.inherited)
        return np.maximum(p, inherited)

    def posterior(self, case: CaseFindings) -> Posterior:
        """Of the conditions and something else. Findings that the vocabulary does not know raise KeyError."""
        fit = self.fit
        present, absent = self._most_specific(case.present), self._most_general(case.absent - case.present)
        there, not_there = ([self.column[f] for f in ids] for ids in (present, absent))
        rows = np.concatenate([
            self._weight[there, None] * self._read(self._likely[there], self._mean[there, None]),
            fit.absent * self._read(1 - self._likely[not_there], 1 - self._mean[not_there, None]),
        ])  # fmt: skip
        known = self.vocabulary.with_implied(present)
        known |= self.vocabulary.with_implying(absent)
        mentioned = [self.column[f] for f in known]
        unmentioned = self._unmentioned - self._log_unmentioned[mentioned].sum(axis=0)
        told = 1 - np.exp(-len(present) / _MUCH_TOLD)
        power = 1 + (fit.prior_power - 1) * told
        score = power * self._log_prior(case) + rows.sum(axis=0) + told * unmentioned + self._course(case)
        if case.sex is not None:  # where it is impossible, whatever else is said; no fit softens that
            score = np.where(self._of_sex[:, _column_of(case.sex)], score, -np.inf)
        everything = np.append(score, fit.other + power * np.log(INCIDENCES["common"]))
        everything = everything / (1 + (fit.temperature - 1) * told)
        everything = np.exp(everything - everything.max())
        everything /= everything.sum()
        return Posterior(everything[:-1], float(everything[-1]), (*present, *absent), rows)

    def _read(self, likely: Array, usual: Array) -> Array:
        """Log-likelihood (findings, conditions) against what is usual, where a share of what is read was not meant."""
        return np.asarray(np.log((1 - self.fit.misread) * likely / usual + self.fit.misread))

    def _log_prior(self, case: CaseFindings) -> Array:
        prior = self._prior.copy()
        if case.age_years is not None:
            middles = [np.sqrt((a + 0.5) * (b + 0.5)) for a, b in AGE_BANDS_YEARS]
            at = np.interp(np.sqrt(case.age_years + 0.5), np.sqrt(middles), np.arange(len(middles)))
            low = int(at)
            high = min(low + 1, len(middles) - 1)
            prior += np.log(self._age[:, low] * (1 - at + low) + self._age[:, high] * (at - low))
        else:
            prior += np.log(self._age @ _PEOPLE_BY_AGE)
        if case.sex is not None:
            prior += np.log(self._sex[:, _column_of(case.sex)])
        else:
            prior += np.log(self._sex.mean(axis=1))
        return prior

    def _course(self, case: CaseFindings) -> Array:
        """Log-likelihood of how long it has been there, how it began and whether it comes back, against the mean."""
        total = np.zeros(len(self.conditions))
        if case.duration_days is not None:
            apart = np.abs(np.log10(list(SPANS_DAYS.values())) - np.log10(max(case.duration_days, 1e-4)))
            near = np.exp(-0.5 * (apart / _SPAN_WIDTH) ** 2)
            likely = 0.08 + (self._spans * near).max(axis=1)
            total += np.log(likely / likely.mean())
        for said, probability in ((case.sudden, self._sudden), (case.recurrent, self._recurrent)):
            if said is not None:
                likely = probability if said else 1 - probability
                total += np.log(likely / likely.mean())
        return self.fit.course * total

    def _most_specific(self, ids: Collection[str]) -> tuple[str, ...]:
        implied = {a for f in ids for a in self.vocabulary.ancestors(f)}
        return tuple(sorted(set(ids) - implied))

    def _most_general(self, ids: Collection[str]) -> tuple[str, ...]:
        implied = {d for f in ids for d in self.vocabulary.descendants(f)}
        return tuple(sorted(set(ids) - implied))


def _column_of(sex: Sex) -> int:
    """Its place in `Condition.sex`."""
    return 0 if sex == "female" else 1
