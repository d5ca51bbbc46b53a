/** What stands in the place of a model's file where a download went wrong, in words. */

/** Of a file that Git LFS keeps elsewhere. */
export const LFS_POINTER = "a pointer of Git LFS; get the file itself (git lfs pull)";
/** Of a page that a server sent in its place. */
export const WEB_PAGE = "a web page, as a download that failed leaves";

/** Whether a text begins as a pointer of Git LFS does. */
export const isLfsPointer = (begin: string): boolean => begin.startsWith("version https://git-lfs");
