// The page's one dialog.
export const dialog = document.getElementById("dialog");
export const content = document.getElementById("dialog-content");

export function openDialog(html) {
  content.innerHTML = html;
  if (!dialog.open) dialog.showModal();
}
