//! The data sets that can be fetched: their files, where they are served, and what is known of their bytes.
//!
//! Every set is one of 28×28 images in the four files that MNIST has, so sizes follow from the number of items.
//! The sums of MNIST and Fashion-MNIST were taken from the files themselves. Those of KMNIST and EMNIST are facts from
//! the tables of TensorFlow Datasets and torchvision, which agree with each other on KMNIST's.

/// The files of a set: images and labels of the training half, then of the test half.
pub const FILES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

/// Rows and columns of an image.
pub const SIDE: usize = 28;

/// A data set that can be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What is in it, in a few words.
    pub about: &'static str,
    /// Training items.
    pub train: usize,
    /// Test items.
    pub test: usize,
    /// The terms under which it may be used.
    pub licence: &'static str,
    /// Whom to cite.
    pub citation: &'static str,
    /// Folders on the web that hold the files, in the order in which they are tried. Each ends in a slash.
    pub mirrors: &'static [&'static str],
    /// What the mirrors hold.
    pub source: Source,
}

/// How a set is packed at its mirrors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Each file by itself as `NAME.gz`, in the order of [`FILES`].
    Files([GzipFile; 4]),
    /// One zip archive of several sets, in which each file lies as gzip.
    Archive(Archive),
}

/// A file of a set, compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GzipFile {
    /// Bytes of the compressed file, as its authors publish it.
    pub bytes: u64,
    /// What its content is held against.
    pub checksum: Checksum,
}

/// A SHA-256 sum in hexadecimal, and of what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Of the raw file. How a mirror compresses it is then its own affair.
    Raw(&'static str),
    /// Of the compressed file as its authors publish it, which must also have its published size. The sum of
    /// the raw file follows only from that one.
    Gzip(&'static str),
}

/// A zip archive that holds several sets. Their raw files have no sums of their own here: what is unpacked
/// from an archive with the right sum is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Archive {
    /// Its name at the mirrors.
    pub name: &'static str,
    /// Its name where it is kept.
    pub kept_as: &'static str,
    /// Its bytes.
    pub bytes: u64,
    /// Its SHA-256 sum in hexadecimal.
    pub sha256: &'static str,
    /// What stands before `train-images-idx3-ubyte.gz` or `test-images-idx3-ubyte.gz` in the names of its entries.
    pub prefix: &'static str,
}

impl DataSet {
    /// The set called `name`.
    pub fn named(name: &str) -> Option<&'static DataSet> {
        CATALOGUE.iter().find(|set| set.name == name)
    }

    /// Bytes of file `index` of [`FILES`]: header and elements.
    pub fn raw_bytes(&self, index: usize) -> u64 {
        let items = if index < 2 { self.train } else { self.test } as u64;
        match index % 2 {
            0 => 16 + items * (SIDE * SIDE) as u64,
            _ => 8 + items,
        }
    }

    /// Bytes of all four raw files.
    pub fn all_raw_bytes(&self) -> u64 {
        (0..FILES.len()).map(|index| self.raw_bytes(index)).sum()
    }

    /// Bytes to be downloaded.
    pub fn packed_bytes(&self) -> u64 {
        match &self.source {
            Source::Files(files) => files.iter().map(|file| file.bytes).sum(),
            Source::Archive(archive) => archive.bytes,
        }
    }
}

impl Archive {
    /// The name of the entry that holds file `index` of [`FILES`].
    pub fn entry(&self, index: usize) -> String {
        let file = FILES[index].replace("t10k", "test");
        format!("{}{file}.gz", self.prefix)
    }
}

const fn raw(bytes: u64, sha256: &'static str) -> GzipFile {
    GzipFile {
        bytes,
        checksum: Checksum::Raw(sha256),
    }
}

const fn gzip(bytes: u64, sha256: &'static str) -> GzipFile {
    GzipFile {
        bytes,
        checksum: Checksum::Gzip(sha256),
    }
}

/// A split of EMNIST, all of which lie in one archive.
const fn emnist(
    name: &'static str,
    about: &'static str,
    (train, test): (usize, usize),
    prefix: &'static str,
) -> DataSet {
    DataSet {
        name,
        about,
        train,
        test,
        licence: "none stated (NIST)",
        citation: "Cohen, Afshar, Tapson, van Schaik: EMNIST: an extension of MNIST to handwritten letters, 2017",
        mirrors: &["https://biometrics.nist.gov/cs_links/EMNIST/"],
        source: Source::Archive(Archive {
            name: "gzip.zip",
            kept_as: "emnist-gzip.zip",
            bytes: 561_753_746,
            sha256: "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
            prefix,
        }),
    }
}

/// All sets, the most usual first.
///
/// The sums of the raw files of MNIST and Fashion-MNIST are known. KMNIST's are those of the published `.gz` files,
/// EMNIST's that of the published archive. EMNIST's images are stored with rows and columns exchanged; they are
/// turned upright when they are unpacked.
pub static CATALOGUE: [DataSet; 9] = [
    DataSet {
        name: "mnist",
        about: "handwritten digits, 10 classes",
        train: 60_000,
        test: 10_000,
        licence: "CC BY-SA 3.0",
        citation: "LeCun, Bottou, Bengio, Haffner: Gradient-based learning applied to document recognition, 1998",
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
        source: Source::Files([
            raw(
                9_912_422,
                "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            ),
            raw(
                28_881,
                "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            ),
            raw(
                1_648_877,
                "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            ),
            raw(
                4_542,
                "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            ),
        ]),
    },
    DataSet {
        name: "fashion-mnist",
        about: "articles of clothing, 10 classes",
        train: 60_000,
        test: 10_000,
        licence: "MIT",
        citation: "Xiao, Rasul, Vollgraf: Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms, 2017",
        mirrors: &[
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ],
        source: Source::Files([
            raw(
                26_421_880,
                "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            ),
            raw(
                29_515,
                "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            ),
            raw(
                4_422_102,
                "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            ),
            raw(
                5_148,
                "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            ),
        ]),
    },
    DataSet {
        name: "kmnist",
        about: "cursive Japanese characters, 10 classes",
        train: 60_000,
        test: 10_000,
        licence: "CC BY-SA 4.0",
        citation: "Clanuwat, Bober-Irizar, Kitamoto, Lamb, Yamamoto, Ha: Deep learning for classical Japanese literature, 2018",
        mirrors: &["https://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
        source: Source::Files([
            gzip(
                18_165_135,
                "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            ),
            gzip(
                29_497,
                "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            ),
            gzip(
                3_041_136,
                "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            ),
            gzip(
                5_120,
                "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
            ),
        ]),
    },
    emnist(
        "emnist-balanced",
        "digits and letters, 47 even classes",
        (112_800, 18_800),
        "gzip/emnist-balanced-",
    ),
    emnist(
        "emnist-letters",
        "letters in either case, labels 1 to 26",
        (124_800, 20_800),
        "gzip/emnist-letters-",
    ),
    emnist(
        "emnist-digits",
        "handwritten digits, 10 classes",
        (240_000, 40_000),
        "gzip/emnist-digits-",
    ),
    emnist(
        "emnist-mnist",
        "handwritten digits, 10 classes",
        (60_000, 10_000),
        "gzip/emnist-mnist-",
    ),
    emnist(
        "emnist-bymerge",
        "digits and letters, 47 uneven classes",
        (697_932, 116_323),
        "gzip/emnist-bymerge-",
    ),
    emnist(
        "emnist-byclass",
        "digits and letters, 62 uneven classes",
        (697_932, 116_323),
        "gzip/emnist-byclass-",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mirror_is_a_folder_behind_tls_and_every_sum_has_64_digits() {
        let whole = |sum: &str| {
            let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            sum.len() == 64 && sum.chars().all(digit)
        };
        for set in &CATALOGUE {
            for mirror in set.mirrors {
                assert!(mirror.starts_with("https://"), "{mirror}");
                assert!(mirror.ends_with('/'), "{mirror}");
            }
            match &set.source {
                Source::Archive(archive) => assert!(whole(archive.sha256)),
                Source::Files(files) => {
                    for file in files {
                        let (Checksum::Raw(sum) | Checksum::Gzip(sum)) = file.checksum;
                        assert!(whole(sum), "{sum}");
                    }
                }
            }
        }
    }

    #[test]
    fn names_tell_sets_apart() {
        for set in &CATALOGUE {
            assert_eq!(DataSet::named(set.name), Some(set));
        }
        assert_eq!(DataSet::named("mnist2"), None);
    }

    #[test]
    fn sizes_follow_from_the_items() {
        let mnist = DataSet::named("mnist").expect("MNIST");
        let sizes: Vec<u64> = (0..4).map(|index| mnist.raw_bytes(index)).collect();
        assert_eq!(sizes, [47_040_016, 60_008, 7_840_016, 10_008]);
        assert_eq!(mnist.packed_bytes(), 11_594_722);
    }

    #[test]
    fn entries_of_the_archive_are_named_as_in_it() {
        let letters = DataSet::named("emnist-letters").expect("a split of EMNIST");
        let Source::Archive(archive) = &letters.source else {
            panic!("an archive")
        };
        let entries: Vec<String> = (0..4).map(|index| archive.entry(index)).collect();
        assert_eq!(
            entries,
            [
                "gzip/emnist-letters-train-images-idx3-ubyte.gz",
                "gzip/emnist-letters-train-labels-idx1-ubyte.gz",
                "gzip/emnist-letters-test-images-idx3-ubyte.gz",
                "gzip/emnist-letters-test-labels-idx1-ubyte.gz",
            ]
        );
    }
}
