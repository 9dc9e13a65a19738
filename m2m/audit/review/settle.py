"""From answers to decisions: the key says which item was which clip, and which were plants."""

from collections.abc import Sequence
from pathlib import Path

from m2m.audit.decisions import SOMEBODY, Decision, Reviews, Tally, updated, write_reviews
from m2m.audit.review.answers import Answer, append, read_answers, read_saved
from m2m.audit.review.key import Key, read_key
from m2m.clips import MANIFEST, Clip, data_hash, read_card, read_manifest
from m2m.errors import InputError


def decide(dataset: Path, saved: Path, reviewer: str = "") -> Reviews:
    """Records the answers of a file that the page of a review saved.

    Args:
        dataset: The data set for which the page was written.
        saved: The file.
        reviewer: Who answered, if the file does not say.

    Returns:
        All that is decided about the data set now.

    Raises:
        InputError: The file is none, of another review or data set, or a clip has other bytes than the reviewer saw.
        InfrastructureError: It cannot be recorded.
    """
    key, answers = read_saved(saved, lambda review: read_key(review, dataset), reviewer)
    if not answers:
        raise InputError(f"{saved} has no answer", "answer the page, then save again")
    return record(dataset, key, answers)


def record(dataset: Path, key: Key, answers: Sequence[Answer]) -> Reviews:
    """Records answers; what was answered the same before is not recorded twice.

    Raises:
        InputError: The data set is not the one that was reviewed, or a clip has other bytes than the reviewer saw.
        InfrastructureError: They cannot be recorded.
    """
    clips = whole(dataset, key)
    latest = {(a.reviewer, a.item): a for a in read_answers(key, dataset)}
    new = [a for a in answers if not _same(latest.get((a.reviewer, a.item)), a)]
    if new:
        append(new, key, dataset)
    reviews = updated(dataset, settled(key, read_answers(key, dataset)), clips)
    write_reviews(dataset, reviews)
    return reviews


def whole(dataset: Path, key: Key) -> list[Clip]:
    """The clips of a data set that is still the one a key is of.

    Raises:
        InputError: It is another, or a clip has another hash.
    """
    card, clips = read_card(dataset), read_manifest(dataset / MANIFEST)
    if card.hash != key.dataset or data_hash(clips) != key.dataset:
        raise InputError(
            f"the review {key.review} is of the data set {key.dataset[:12]}, {dataset} is {card.hash[:12]} now",
            "run m2m audit review again",
        )
    hashes = {clip.clip_id: clip.sha256 for clip in clips}
    for item in key.items:
        if hashes.get(item.clip_id) != item.sha256:
            raise InputError(f"{item.clip_id} is another file than the reviewer saw", "run m2m audit review again")
    return clips


def settled(key: Key, answers: Sequence[Answer]) -> Reviews:
    """What the answers to one review come to, by reviewer; of several answers to an item the last one counts."""
    tallies, decisions = [], []
    for reviewer in sorted({a.reviewer for a in answers}):
        own = [a for a in answers if a.reviewer == reviewer]
        last = {a.item: a for a in own}
        tallies.append(_tally(key, reviewer, own, last))
        for item in key.items:
            answer = last.get(item.item)
            if answer is not None and item.part != "plant":
                decisions.append(
                    Decision(
                        clip_id=item.clip_id,
                        sha256=item.sha256,
                        dataset=key.dataset,
                        verdict=answer.verdict,
                        seen=answer.seen,
                        note=answer.note,
                        reviewer=reviewer,
                        at=answer.at,
                        review=key.review,
                        page=key.page,
                        doubts=item.doubts,
                    )
                )
    return Reviews(key.dataset, tuple(tallies), tuple(decisions))


def _tally(key: Key, reviewer: str, own: Sequence[Answer], last: dict[str, Answer]) -> Tally:
    def saw(item: str) -> bool:
        return item in last and last[item].verdict == SOMEBODY

    plants = [item for item in key.items if item.part == "plant"]
    kinds = {
        kind: (sum(saw(p.item) for p in same), len(same))
        for kind in sorted({p.plant["kind"] for p in plants})
        if (same := [p for p in plants if p.plant["kind"] == kind])
    }
    asked = [item for item in key.items if item.part != "doubtful"]
    return Tally(
        review=key.review,
        page=key.page,
        reviewer=reviewer,
        seed=key.seed,
        population=key.population,
        sample=key.count("sample"),
        answered=sum(item.item in last for item in asked),
        found=sum(saw(item.item) for item in key.items if item.part == "sample"),
        plants=len(plants),
        seen=sum(saw(p.item) for p in plants),
        kinds=kinds,
        shared=key.shared,
        changed=_changes(own),
        first=min(a.at for a in own),
        last=max(a.at for a in own),
    )


def _same(old: Answer | None, new: Answer) -> bool:
    return old is not None and (old.verdict, old.seen, old.note) == (new.verdict, new.seen, new.note)


def _changes(answers: Sequence[Answer]) -> int:
    """How often a verdict was turned round; to tick an item or to add a note is no change."""
    verdicts: dict[str, str] = {}
    turned = 0
    for answer in answers:
        turned += verdicts.get(answer.item, answer.verdict) != answer.verdict
        verdicts[answer.item] = answer.verdict
    return turned
