//! The data sets that can be downloaded: their files, mirrors, sizes and checksums.
//!
//! Every data set consists of 28×28 images in the same four files as MNIST, so sizes follow from the number of samples. The
//! checksums of MNIST and Fashion-MNIST were computed from the files. Those of KMNIST and EMNIST come from TensorFlow
//! Datasets and torchvision, which agree on KMNIST.

pub use crate::datasets::generated::FILES;

/// The height and width of an image in pixels.
pub const SIDE: usize = 28;

/// A data set that can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataSet {
    /// The name on the command line.
    pub name: &'static str,
    /// A short description.
    pub about: &'static str,
    /// The number of training samples.
    pub train: usize,
    /// The number of test samples.
    pub test: usize,
    /// The licence.
    pub licence: &'static str,
    /// The publication to cite.
    pub citation: &'static str,
    /// The addresses of folders with the files, in the order in which they are tried. Each ends in a slash.
    pub mirrors: &'static [&'static str],
    /// The packing of the files on the mirrors.
    pub source: Source,
}

/// The packing of the files of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Each file separately as `NAME.gz`, in the order of [`FILES`].
    Files([GzipFile; 4]),
    /// A ZIP archive of several data sets with a gzip entry for each file.
    Archive(Archive),
}

/// A compressed file of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GzipFile {
    /// The size of the compressed file that the authors publish, in bytes.
    pub bytes: u64,
    /// The expected checksum.
    pub checksum: Checksum,
}

/// A SHA-256 checksum in hexadecimal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// Of the raw file, however a mirror compresses it.
    Raw(&'static str),
    /// Of the compressed file that the authors publish, which must also have the published size. The checksum of the raw file
    /// is not known in advance.
    Gzip(&'static str),
}

/// A ZIP archive of several data sets. Their raw files need no checksums, because that of the archive is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Archive {
    /// Its name on the mirrors.
    pub name: &'static str,
    /// Its name in the folder in which it is kept.
    pub kept_as: &'static str,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256 checksum in hexadecimal.
    pub sha256: &'static str,
    /// The prefix of the names of its entries, followed by `train-images-idx3-ubyte.gz` or `test-images-idx3-ubyte.gz`.
    pub prefix: &'static str,
}

impl DataSet {
    /// Returns the data set of this name.
    pub fn named(name: &str) -> Option<&'static DataSet> {
        CATALOGUE.iter().find(|set| set.name == name)
    }

    /// Returns the size of raw file `index` of [`FILES`] in bytes.
    pub fn raw_bytes(&self, index: usize) -> u64 {
        let samples = if index < 2 { self.train } else { self.test } as u64;
        match index % 2 {
            0 => 16 + samples * (SIDE * SIDE) as u64,
            _ => 8 + samples,
        }
    }

    /// Returns the size of all four raw files in bytes.
    pub fn all_raw_bytes(&self) -> u64 {
        (0..FILES.len()).map(|index| self.raw_bytes(index)).sum()
    }

    /// Returns the size of the download in bytes.
    pub fn packed_bytes(&self) -> u64 {
        match &self.source {
            Source::Files(files) => files.iter().map(|file| file.bytes).sum(),
            Source::Archive(archive) => archive.bytes,
        }
    }
}

impl Archive {
    /// Returns the name of the entry for file `index` of [`FILES`].
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

/// Returns a split of EMNIST. All of them are in one archive.
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

/// All data sets, the most common first.
///
/// MNIST and Fashion-MNIST have checksums of the raw files, KMNIST of the published `.gz` files, EMNIST of the published
/// archive. Images of EMNIST are stored with rows and columns exchanged, and are turned upright when they are unpacked.
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
    fn every_mirror_is_an_https_folder_and_every_checksum_has_64_digits() {
        let is_checksum = |sum: &str| {
            let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            sum.len() == 64 && sum.chars().all(digit)
        };
        for set in &CATALOGUE {
            for mirror in set.mirrors {
                assert!(mirror.starts_with("https://"), "{mirror}");
                assert!(mirror.ends_with('/'), "{mirror}");
            }
            match &set.source {
                Source::Archive(archive) => assert!(is_checksum(archive.sha256)),
                Source::Files(files) => {
                    for file in files {
                        let (Checksum::Raw(sum) | Checksum::Gzip(sum)) = file.checksum;
                        assert!(is_checksum(sum), "{sum}");
                    }
                }
            }
        }
    }

    #[test]
    fn names_are_unique() {
        for set in &CATALOGUE {
            assert_eq!(DataSet::named(set.name), Some(set));
        }
        assert_eq!(DataSet::named("mnist2"), None);
    }

    #[test]
    fn sizes_follow_from_the_number_of_samples() {
        let mnist = DataSet::named("mnist").expect("MNIST");
        let sizes: Vec<u64> = (0..4).map(|index| mnist.raw_bytes(index)).collect();
        assert_eq!(sizes, [47_040_016, 60_008, 7_840_016, 10_008]);
        assert_eq!(mnist.packed_bytes(), 11_594_722);
    }

    #[test]
    fn entries_have_their_names_in_the_archive() {
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
