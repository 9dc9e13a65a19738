"""Labels are mixed as pixels are; mixtures are the same however a batch is divided."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from m2m.train.batches import RandomSamples, load, plan, to_device
from m2m.train.clips import open_set
from m2m.train.mixtures import Mixing, draw, mix, partners
from m2m.train.supervised import classify
from tests.train.toysets import INPUT, MODEL

CPU = torch.device("cpu")


def drawn(mixing: Mixing, n: int, size=(20, 30)) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(np.stack([draw(mixing, size, rng) for _ in range(n)]))


def test_cutmix_takes_a_box_whose_area_is_the_labels_share():
    mixtures = drawn(Mixing(0, 1.0), 40)
    clips = torch.arange(40.0)[:, None, None, None, None].expand(40, 3, 2, 20, 30)
    mixed, own = mix(clips, mixtures, partners(40, 1))
    for i in range(40):
        from_own, from_other = mixed[i] == i, mixed[i] == (i ^ 1)
        assert (from_own | from_other).all()
        assert from_own.float().mean() == pytest.approx(float(own[i]), abs=1e-6)
        assert (from_own == from_own[0, 0]).all()  # the same box in all frames and channels
        rows, columns = from_other[0, 0].nonzero().unbind(1)
        if len(rows):
            assert len(rows) == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    assert own.min() < 0.3 and own.max() > 0.9


def test_mixup_mixes_all_pixels_by_the_labels_share():
    mixtures = drawn(Mixing(0.8, 0), 10)
    clips = torch.rand(10, 3, 2, 20, 30)
    mixed, own = mix(clips, mixtures, partners(10, 1))
    for i in range(10):
        torch.testing.assert_close(mixed[i], own[i] * clips[i] + (1 - own[i]) * clips[i ^ 1])
    assert len(set(own.tolist())) == 10


def test_with_both_a_coin_decides():
    whole = (drawn(Mixing(0.8, 1.0), 400)[:, 3:] == torch.tensor([20.0, 30.0])).all(1)
    first = drawn(Mixing(0.8, 1.0), 400)[:, 0] > 0
    assert 0.4 < first.float().mean() < 0.6 and whole[first].all()


def test_shares_follow_the_beta_distribution():
    shares = drawn(Mixing(0.5, 0), 4000)[:, 0].numpy()
    assert shares.mean() == pytest.approx(0.5, abs=0.03) and shares.var() == pytest.approx(0.125, abs=0.01)
    kept = mix(torch.zeros(500, 1, 1, 50, 50), drawn(Mixing(0, 1.0), 500, (50, 50)), partners(500, 1))[1]
    assert kept.mean() > 0.5  # boxes are cut off at the edge


def test_partners_are_samples_of_neighbouring_clips():
    assert partners(6, 1).tolist() == [1, 0, 3, 2, 5, 4]
    assert partners(8, 2).tolist() == [2, 3, 0, 1, 6, 7, 4, 5]
    assert partners(3, 1).tolist() == [1, 0, 2]


def test_one_without_a_partner_stays_as_it_is():
    clips = torch.rand(3, 3, 2, 20, 30)
    mixed, own = mix(clips, drawn(Mixing(0.8, 1.0), 3), partners(3, 1))
    assert torch.equal(mixed[2], clips[2]) and own[2] == 1 and own[0] < 1


class Flat(nn.Module):
    """Scores that depend on the mean of the clip alone."""

    def forward(self, clips):
        value = clips.mean((1, 2, 3, 4))
        return torch.stack([value, -3 * value, value**2], 1)


def test_the_loss_is_that_of_soft_labels():
    clips, label = torch.rand(4, 3, 2, 20, 30), torch.tensor([0, 1, 2, 0])
    mixtures = drawn(Mixing(0.8, 1.0), 4)
    values = classify(0.1, 1)(Flat(), {"clip": clips, "label": label, "mixture": mixtures})
    mixed, own = mix(clips, mixtures, partners(4, 1))
    hard = torch.eye(3)[label] * 0.9 + 0.1 / 3
    soft = hard * own[:, None] + hard[partners(4, 1)] * (1 - own[:, None])
    wanted = -(soft * Flat()(mixed).log_softmax(1)).sum(1)
    torch.testing.assert_close(values["loss"], wanted)


@pytest.mark.parametrize("samples", [1, 2])
@pytest.mark.parametrize(("chunk", "count"), [(0, 1), (2, 1), (4, 1), (3, 2), (0, 2), (2, 3)])
def test_losses_are_the_same_however_a_batch_is_divided(toys, samples, chunk, count):
    params = replace(INPUT, randaugment="rand-m7-n2-inc1", erase=0.5)
    data = RandomSamples(open_set(toys), MODEL, params, 3, samples, mixing=Mixing(0.8, 1.0))

    def losses(chunk: int, count: int) -> list[float]:
        found = []
        for rank in range(count):
            order = plan(8, 7, chunk, 3, 0, rank, count)
            for part in order.steps[0]:
                batch = to_device(next(load(data, [[(0, clip) for clip in part]], 0, False)), CPU)
                found += classify(0.1, samples)(Flat(), batch)["loss"].tolist()
        return sorted(found)

    whole = losses(0, 1)
    assert len(whole) == 7 * samples and losses(chunk, count) == pytest.approx(whole, rel=1e-5)
