"""What a person's review of a random sample says about the clips that nobody looked at.

Detectors alone give no bound: nobody knows what all of them miss. A person who looks at clips drawn by chance does, as
far as that person sees; how far is measured with clips into which somebody was put on purpose, the plants.
"""

from dataclasses import dataclass

from scipy.special import betaincinv

CONFIDENCE = 0.95
DETECTORS_ALONE = "detectors alone give no bound: nobody has looked at a random sample of the clips"


def upper(found: int, n: int, confidence: float = CONFIDENCE) -> float:
    """Upper limit of a share, one-sided, exact (Clopper and Pearson 1934); about 3/n where nothing was found.

    Raises:
        ValueError: `found` of `n` is no share.
    """
    _share(found, n)
    return 1.0 if found == n else float(betaincinv(found + 1, n - found, confidence))


def lower(found: int, n: int, confidence: float = CONFIDENCE) -> float:
    """Lower limit of a share, one-sided, exact.

    Raises:
        ValueError: `found` of `n` is no share.
    """
    _share(found, n)
    return 0.0 if found == 0 else float(betaincinv(found, n - found + 1, 1 - confidence))


def interval(found: int, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Both limits of a share: outside of either it lies with half of what is left of the confidence.

    Raises:
        ValueError: `found` of `n` is no share.
    """
    each = (1 + confidence) / 2
    return lower(found, n, each), upper(found, n, each)


@dataclass(frozen=True)
class Bound:
    """What is known of the clips that were not looked at.

    Attributes:
        n: Clips of the sample.
        found: Those of them in which somebody, or something of somebody, was seen.
        plants: Clips among them that somebody was put into.
        seen: Plants that the reviewer saw.
        upper: Upper 95 % limit of the share of clips in which this reviewer would see somebody.
        sensitivity: Share of the plants that was seen.
        least: Lower 95 % limit of that.
        bound: `upper` divided by `sensitivity`, 1 at most; None: there is none.
        cautious: `upper` divided by `least`, 1 at most. Both limits hold together with 90 % confidence or more.
        why: Why there is no bound, in words.
    """

    n: int = 0
    found: int = 0
    plants: int = 0
    seen: int = 0
    upper: float | None = None
    sensitivity: float | None = None
    least: float | None = None
    bound: float | None = None
    cautious: float | None = None
    why: str = DETECTORS_ALONE


def residual(n: int, found: int, plants: int, seen: int) -> Bound:
    """Bounds the share of clips in which somebody, or something of somebody, is still to be seen.

    The sample is drawn without replacement; that the data set has an end, which makes the limit smaller, is left aside.

    Args:
        n: Clips of the sample that were looked at, all that were drawn.
        found: Those of them in which somebody was seen.
        plants: Plants that were looked at.
        seen: Plants that were seen.

    Raises:
        ValueError: A count is negative, or more were found than there are.
    """
    for some, all_ in ((found, n), (seen, plants)):
        if not 0 <= some <= all_:
            raise ValueError(f"{some} of {all_} cannot have been found")
    if not n:
        return Bound()
    limit = upper(found, n)
    if not plants:
        why = "no plants were among the sample: nobody knows how much the reviewer sees"
        return Bound(n, found, upper=limit, why=why)
    share, least = seen / plants, lower(seen, plants)
    if not seen:
        why = f"the reviewer saw none of {plants} plants: what this reviewer does not see says nothing"
        return Bound(n, found, plants, seen, limit, share, least, why=why)
    return Bound(n, found, plants, seen, limit, share, least, min(1.0, limit / share), min(1.0, limit / least), "")


def _share(found: int, n: int) -> None:
    if n < 1 or not 0 <= found <= n:
        raise ValueError(f"{found} of {n} is no share")
