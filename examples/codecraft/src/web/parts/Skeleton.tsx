/** A place that will be filled. It shows late, so that what is here within a moment replaces nothing. */
export const Skeleton = ({ className = '' }: { readonly className?: string }) => <span className={`block animate-late rounded-md bg-sunken ${className}`} />
