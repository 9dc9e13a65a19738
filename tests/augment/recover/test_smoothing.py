import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from m2m.augment.recover.rotations import angle_between, exp
from m2m.augment.recover.smoothing import despike, jitter, smooth, smooth_rotations

REST = np.tile(np.eye(3), (40, 1, 1, 1))


def about_y(angles):
    return exp(np.outer(angles, [0, 1.0, 0]))[:, None]


def test_a_line_stays_a_line_and_noise_shrinks():
    line = np.linspace(0, 4, 60)[:, None]
    noise = np.random.default_rng(0).normal(0, 0.1, line.shape)
    smoothed = smooth(line + noise, np.ones(60), 3, 8)
    inner = slice(12, -12)
    assert np.abs(smooth(line, np.ones(60), 3, 8) - line)[inner].max() < 0.01
    assert np.std((smoothed - line)[inner]) < 0.5 * np.std(noise)
    assert jitter(smoothed) < 0.1 * jitter(line + noise)


@given(st.integers(0, 2**31))
def test_zero_phase(seed):
    values = np.random.default_rng(seed).normal(size=(20, 2))
    weight = np.random.default_rng(seed + 1).uniform(size=20)
    assert np.allclose(smooth(values, weight, 2, 8), smooth(values[::-1], weight[::-1], 2, 8)[::-1])


def test_a_gap_is_bridged_and_its_values_are_not_read():
    values = np.concatenate([np.zeros(15), np.full(10, 1e6), np.ones(15)])[:, None]
    weight = np.concatenate([np.ones(15), np.zeros(10), np.ones(15)])
    out = smooth(values, weight, 1, 8)[:, 0]
    assert (np.diff(out) > -1e-2).all()
    assert 0.4 < out[19:21].mean() < 0.6
    assert out.max() < 1.01


def test_far_from_anything_seen_the_nearest_end_holds():
    values = np.zeros((300, 1))
    values[:10] = 5
    weight = np.zeros(300)
    weight[:10] = 1
    assert np.allclose(smooth(values, weight, 1, 8), 5)


def test_despike_takes_out_one_frame_and_keeps_a_step():
    values = np.repeat([0.0, 5.0], 10)[:, None]
    values[4] = 9
    out, spiked = despike(values, 1.0)
    assert spiked.tolist() == [k == 4 for k in range(20)]
    assert np.allclose(out[:, 0], np.repeat([0.0, 5.0], 10))


def test_rotations_across_half_a_turn_do_not_unwind():
    angles = np.linspace(2.6, 3.7, 40)  # axis-angle vectors jump at pi
    out = smooth_rotations(about_y(angles), np.ones((40, 1)), REST, 1.5, 8)
    assert angle_between(out, about_y(angles))[5:-5].max() < 0.05


def test_one_wrong_rotation_hardly_shows():
    rotations = about_y(np.zeros(40))
    rotations[20] = exp(np.array([3.0, 0, 0]))
    out = smooth_rotations(rotations, np.ones((40, 1)), REST, 1.5, 8)
    assert angle_between(out, about_y(np.zeros(40))).max() < 0.1


def test_a_gap_in_rotations_is_crossed_between_its_ends():
    rotations = about_y(np.repeat([0.0, 1.0], 20))
    weight = np.ones((40, 1))
    weight[14:26] = 0
    out = smooth_rotations(rotations, weight, REST, 1.5, 8)
    turned = Rotation.from_matrix(out[:, 0]).as_rotvec()[:, 1]
    assert (np.diff(turned) > -1e-4).all()
    assert abs(turned[19:21].mean() - 0.5) < 0.1


def test_long_unseen_joints_come_to_rest():
    rotations, weight = np.tile(about_y(np.array([1.5])), (40, 1, 1, 1)), np.zeros((40, 1))
    weight[0] = 1
    out = smooth_rotations(rotations, weight, REST, 1.5, 8)
    assert angle_between(out[0], rotations[0]).max() < 0.1
    assert angle_between(out[-1], REST[-1]).max() < 0.1
